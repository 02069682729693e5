"""Whether effects of policies lie where evidence from outside the model puts them."""

from collections.abc import Iterator

from pysd_runner.core.numbers import written
from pysd_runner.policy.comparison import Comparison
from pysd_runner.reports.phrases import say
from pysd_runner.spec import ModelSpec


def implausible(comparison: Comparison, spec: ModelSpec, lang: str) -> Iterator[str]:
    """Name the policies whose median effect lies outside the declared range.

    Parameters
    ----------
    comparison
        Effects of policies.
    spec
        Declarations of the model.
    lang
        ``"en"`` or ``"zh"``.

    Yields
    ------
    str
        One sentence, where an effect leaves its range.
    """
    parts = []
    for key, item in spec.plausible.items():
        if key not in comparison.effects:
            continue
        medians = comparison.effects[key].median("draw").to_series()
        sides = []
        for side, bound, outside in (
            ("above", item.upper, medians[medians > item.upper].sort_values(ascending=False, kind="stable")),
            ("below", item.lower, medians[medians < item.lower].sort_values(kind="stable")),
        ):
            if not outside.empty:
                worst = str(outside.index[0])
                label = str(comparison.scenarios[worst].label.get(lang, worst))
                told = {"count": len(outside), "all": len(medians), "policy": label}
                told |= {"bound": written(bound, 1), "value": written(float(outside.iloc[0]), 1)}
                sides.append(say(f"implausible {side}", lang, **told))
        if sides:
            listed = say("list", lang).join(sides)
            parts.append(say("implausible effect", lang, effect=getattr(item, lang), sides=listed))
    if parts:
        yield say("implausible", lang, parts=say("clauses", lang).join(parts))
