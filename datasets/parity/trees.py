"""Trees that no exporter writes, but the standard allows: every comparison, aggregation and last step."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from . import graphs
from .fitted import Model

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
TREES = 12
FULL_TREES = 100
DEPTH = 4
CHAIN = 40


@dataclass
class Nodes:
    """The attributes of an ensemble's nodes, and its leaves as (tree, node)."""

    attributes: dict[str, list] = field(default_factory=dict)
    leaves: list[tuple[int, int]] = field(default_factory=list)

    def branch(
        self, tree: int, number: int, mode: str, feature: int, cut: float, when_true: int, when_false: int, tracks: int
    ) -> None:
        """One more comparison; `tracks` is 1 if what is missing takes the true branch."""
        self.add(treeids=tree, nodeids=number, modes=mode, featureids=feature, values=cut, truenodeids=when_true,
                 falsenodeids=when_false, missing_value_tracks_true=tracks)

    def leaf(self, tree: int, number: int) -> None:
        """One more leaf."""
        self.leaves.append((tree, number))
        self.add(treeids=tree, nodeids=number, modes="LEAF", featureids=0, values=0.0, truenodeids=0, falsenodeids=0,
                 missing_value_tracks_true=0)

    def add(self, **values: object) -> None:
        """One more of anything."""
        for name, value in values.items():
            self.attributes.setdefault(f"nodes_{name}", []).append(value)


def grown(patients: np.ndarray, random: np.random.Generator, trees: int = TREES) -> Nodes:
    """Random trees of uneven depth. They compare with numbers that occur, so that equality is met as well."""
    nodes = Nodes()
    for tree in range(trees):
        waiting, numbered = [(0, 0)], 1
        while waiting:
            number, depth = waiting.pop(0)
            if depth == DEPTH or (depth > 1 and random.random() < 0.2):
                nodes.leaf(tree, number)
                continue
            feature = int(random.integers(patients.shape[1]))
            known = patients[~np.isnan(patients[:, feature]), feature]
            cut = float(known[random.integers(len(known))])
            mode = MODES[random.integers(len(MODES))]
            nodes.branch(tree, number, mode, feature, cut, numbered, numbered + 1, int(random.integers(2)))
            waiting += [(numbered, depth + 1), (numbered + 1, depth + 1)]
            numbered += 2
    return nodes


def full(patients: np.ndarray, random: np.random.Generator) -> Nodes:
    """A hundred trees without a gap: the largest that XGBoost makes of as many of this depth. Missing values go either way."""
    lowest, highest = np.nanmin(patients, axis=0), np.nanmax(patients, axis=0)
    nodes = Nodes()
    first_leaf = 2**DEPTH - 1
    for tree in range(FULL_TREES):
        for number in range(first_leaf):
            feature = int(random.integers(patients.shape[1]))
            cut = float(np.float32(random.uniform(lowest[feature], highest[feature])))
            nodes.branch(tree, number, "BRANCH_LT", feature, cut, 2 * number + 1, 2 * number + 2, int(random.integers(2)))
        for number in range(first_leaf, 2 * first_leaf + 1):
            nodes.leaf(tree, number)
    return nodes


def ensemble(nodes: Nodes, weights: np.ndarray, ids: list[int], classes: int, **attributes: object) -> onnx.NodeProto:
    """A TreeEnsembleClassifier. `weights` are leaves x `ids`: a leaf weighs for each of these classes."""
    places = [(*leaf, label, float(weight)) for leaf, row in zip(nodes.leaves, weights) for label, weight in zip(ids, row)]
    tree, node, label, weight = map(list, zip(*places))
    return helper.make_node(
        "TreeEnsembleClassifier", ["inputs"], ["label", "probabilities"], domain="ai.onnx.ml",
        class_treeids=tree, class_nodeids=node, class_ids=label, class_weights=weight,
        classlabels_int64s=list(range(classes)), **nodes.attributes, **attributes,
    )


def regressor(nodes: Nodes, weights: np.ndarray, **attributes: object) -> onnx.NodeProto:
    """A TreeEnsembleRegressor with one target."""
    tree, node = map(list, zip(*nodes.leaves))
    return helper.make_node(
        "TreeEnsembleRegressor", ["inputs"], ["probability"], domain="ai.onnx.ml", n_targets=1,
        target_treeids=tree, target_nodeids=node, target_ids=[0] * len(tree), target_weights=[float(w) for w in weights],
        **nodes.attributes, **attributes,
    )


def written(patients: np.ndarray) -> Iterator[Model]:
    """All of them, one after the other."""
    for made in (classifiers, regressors, forests):
        for name, content in made(patients):
            yield Model(name, "hand", content)


def classifiers(patients: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Two classes by one weight a leaf, which stands for the second whatever it is given to; by two; three classes."""
    random = np.random.default_rng(11)
    nodes = grown(patients, random)
    leaves = len(nodes.leaves)
    weights = random.normal(0, 0.5, (leaves, 3))
    shares = random.uniform(0, 1 / TREES, leaves)
    logistic = ensemble(nodes, weights[:, :1], [0], 2, post_transform="LOGISTIC", base_values=[0.25])
    yield "branches_logistic", graphs.classifier("branches_logistic", logistic, 2)
    second = ensemble(nodes, weights[:, :1], [1], 2, post_transform="LOGISTIC")
    yield "branches_second_class", graphs.classifier("branches_second_class", second, 2)
    both = ensemble(nodes, np.column_stack([-weights[:, 0], weights[:, 0]]), [0, 1], 2, post_transform="LOGISTIC")
    yield "branches_both_classes", graphs.classifier("branches_both_classes", both, 2)
    shared = ensemble(nodes, np.column_stack([1 / TREES - shares, shares]), [0, 1], 2, post_transform="NONE")
    yield "branches_shares", graphs.classifier("branches_shares", shared, 2)
    positive = ensemble(nodes, shares[:, None], [1], 2, post_transform="NONE")
    yield "branches_positive", graphs.classifier("branches_positive", positive, 2)
    softmax = ensemble(nodes, weights, [0, 1, 2], 3, post_transform="SOFTMAX", base_values=[0.1, -0.2, 0.3])
    yield "branches_softmax", graphs.classifier("branches_softmax", softmax, 3)


def regressors(patients: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Each way of putting trees together; a tree that is a leaf, and one that is far too deep to be padded."""
    random = np.random.default_rng(12)
    nodes = grown(patients, random)
    shares = random.uniform(0, 1, len(nodes.leaves))
    for way in ("AVERAGE", "MIN", "MAX"):
        name = f"branches_{way.lower()}"
        yield name, graphs.probability(name, [regressor(nodes, shares, aggregate_function=way)])
    summed = regressor(nodes, shares / TREES / 2, base_values=[0.25])
    yield "branches_sum", graphs.probability("branches_sum", [summed])
    yield "leaf", graphs.probability("leaf", [regressor(leaf(), np.array([0.3]))])
    yield "chain", graphs.probability("chain", [regressor(chain(), np.linspace(0.1, 0.9, CHAIN + 1))])


def forests(patients: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """What the engine's speed is measured by."""
    random = np.random.default_rng(13)
    nodes = full(patients, random)
    weights = random.normal(0, 0.1, (len(nodes.leaves), 1))
    logistic = ensemble(nodes, weights, [0], 2, post_transform="LOGISTIC")
    yield "full_forest", graphs.classifier("full_forest", logistic, 2)


def leaf() -> Nodes:
    """One tree that is a leaf."""
    nodes = Nodes()
    nodes.leaf(0, 0)
    return nodes


def chain() -> Nodes:
    """One tree of CHAIN comparisons, each the false branch of the one before: ages from old to young."""
    nodes = Nodes()
    for step in range(CHAIN):
        number = 2 * step
        nodes.branch(0, number, "BRANCH_GT", 0, 77.0 - step, number + 1, number + 2, int(step == CHAIN // 2))
        nodes.leaf(0, number + 1)
    nodes.leaf(0, 2 * CHAIN)
    return nodes
