"""How figures are written in the model card."""

from .measures import Estimate


def spread(found: Estimate) -> str:
    """Mean and standard deviation over folds."""
    return f"{found['mean']:.3f} ± {found['sd']:.3f}"


def interval(found: Estimate) -> str:
    """A value with its interval."""
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def percent(share: float) -> str:
    """A share in whole percent."""
    return f"{100 * share:.0f} %"


def hundredth(share: float) -> str:
    """A share as a number out of a hundred."""
    return f"{100 * share:.0f}"


def code(names: list[str] | tuple[str, ...]) -> str:
    """Names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def table(rows: list[list[str]]) -> str:
    """The body of a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
