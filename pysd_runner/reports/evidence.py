"""How much of a projection is data and how much is prior, in words."""

from collections.abc import Sequence

from pysd_runner.reports.certainty import LEAST_SHOWN
from pysd_runner.spec import FittedParameters, ModelSpec
from pysd_runner.spec.load import load_bound_spec
from pysd_runner.study.future import Future
from pysd_runner.study.projection import recorded_model
from pysd_runner.text import say
from pysd_runner.text.notices import in_language, panel_title, variable_names

# A panel says something about a parameter when it takes this share of its prior variance away.
INFORMED = 0.5


def evidence_lines(projection: Future, *, lang: str = "en") -> list[str]:
    """Say which part of the uncertain parameters the panel informs, and what comes from elsewhere."""
    spec = declarations_of(projection)
    drawn = [key for key, item in spec.parameters.items() if item.prior is not None and item.role != "POL"]
    fitted = projection.provenance.get("fitted")
    if fitted is None:
        lines = [
            say("report.no data", lang, origin=projection.origin),
            say("report.prior alone", lang, rest=len(drawn)),
        ]
    else:
        shares = [0.0 if share is None else share for share in fitted["contraction"]]
        narrowed = sum(share > INFORMED for share in shares)
        rest = len(drawn) - sum(share > LEAST_SHOWN for share in shares)
        years = {
            "first": fitted["first_year"],
            "last": fitted["last_year"],
            "panel": panel_title(fitted["panel"], lang),
        }
        lines = [
            say("report.data", lang, all=len(shares), narrowed=narrowed, **years),
            say("report.prior", lang, rest=rest),
        ]
    if projection.imputed:
        lines.append(say("report.imputed", lang, count=len(projection.imputed)))
    return lines


def declarations_of(projection: Future) -> ModelSpec:
    """Declarations of the model a projection was made with."""
    return load_bound_spec(recorded_model(projection.provenance))


def noticed(projection: Future, lines: Sequence[str], lang: str) -> list[str]:
    """Warnings and notes on what was filled in, in the language of the reader."""
    spec = declarations_of(projection)
    names = variable_names(spec.inputs.values(), lang)
    return [in_language(line, lang, names) for line in lines]


def money_of(fitted: FittedParameters | None) -> float:
    """Yuan for one unit of the panel's currency, as the calibration took it; 1 without a calibration."""
    return 1.0 if fitted is None else float(fitted.provenance.get("yuan_per_unit", 1.0))
