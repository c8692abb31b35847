"""The rows that every engine is asked about: patients, random ones, ties, missing values, extremes."""

import numpy as np

KINDS = ("real", "random", "ties", "missing", "extremes")

# The largest, the smallest above zero with and without full precision, both zeros. No infinity: a known number is finite.
FLOAT = np.finfo(np.float32)
EXTREMES = np.array([FLOAT.max, FLOAT.min, FLOAT.tiny, -FLOAT.tiny, FLOAT.smallest_subnormal, 0.0, -0.0], np.float32)

# Where sums of products are formed, larger numbers would only ask in which order infinities cancel.
MODERATE = np.array([1e4, -1e4, 1e-4, -1e-4, 0.0, -0.0], np.float32)


def rows(patients: np.ndarray, cuts: list[np.ndarray] | None, count: int, seed: int) -> np.ndarray:
    """`count` rows of float32, the same share of each of KINDS, in their order.

    `cuts` are the numbers that a forest compares each input with; None for what is no forest.
    """
    random = np.random.default_rng(seed)
    shares = [len(part) for part in np.array_split(np.arange(count), len(KINDS))]
    parts = [
        real(patients, shares[0], random),
        drawn(patients, shares[1], random),
        ties(patients, cuts, shares[2], random),
        missing(patients, shares[3], random),
        extremes(patients, EXTREMES if cuts else MODERATE, shares[4], random),
    ]
    return np.vstack(parts).astype(np.float32)


def real(patients: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Patients as they are."""
    return patients[random.integers(len(patients), size=count)]


def drawn(patients: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Each input on its own, a little beyond what occurs."""
    low, high = np.nanmin(patients, axis=0), np.nanmax(patients, axis=0)
    margin = 0.1 * (high - low)
    return random.uniform(low - margin, high + margin, (count, patients.shape[1]))


def ties(
    patients: np.ndarray, cuts: list[np.ndarray] | None, count: int, random: np.random.Generator
) -> np.ndarray:
    """Patients with numbers that stand exactly on a cut, or are its neighbours among the float32."""
    chosen = real(patients, count, random).copy()
    for at, own in enumerate(cuts or []):
        if len(own) == 0:
            continue
        cut = own[random.integers(len(own), size=count)].astype(np.float32)
        beside = np.stack([cut, np.nextafter(cut, FLOAT.min), np.nextafter(cut, FLOAT.max)])
        moved = random.random(count) < 0.7
        chosen[moved, at] = beside[random.integers(3, size=count), np.arange(count)][moved]
    return chosen


def missing(patients: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Patients of whom more and more is not known, up to nothing at all."""
    chosen = real(patients, count, random).copy()
    share = np.linspace(0, 1, count)[:, None]
    chosen[random.random(chosen.shape) < share] = np.nan
    chosen[-1] = np.nan
    return chosen


def extremes(patients: np.ndarray, values: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Patients with up to three inputs that no patient has."""
    chosen = real(patients, count, random).copy()
    for row in chosen:
        places = random.integers(len(row), size=random.integers(1, 4))
        row[places] = values[random.integers(len(values), size=len(places))]
    return chosen
