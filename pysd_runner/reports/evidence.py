"""How much of a projection is data and how much is prior, in words."""

from pysd_runner.paths import model_folder
from pysd_runner.projection import Projection
from pysd_runner.reports.phrases import say
from pysd_runner.spec import FittedParameters, ModelSpec, load_spec

# A panel says something about a parameter when it takes this share of its prior variance away.
INFORMED = 0.5


def evidence_lines(projection: Projection, *, lang: str = "en") -> list[str]:
    """Say which part of the uncertain parameters the panel informs, and what comes from elsewhere.

    Parameters
    ----------
    projection
        What was projected.
    lang
        ``"en"`` or ``"zh"``.

    Returns
    -------
    list of str
        Two or three sentences.
    """
    provenance = projection.provenance
    spec = declarations_of(projection)
    drawn = [key for key, item in spec.parameters.items() if item.prior is not None and item.role != "POL"]
    fitted = provenance.get("fitted")
    lines = []
    if fitted is None:
        moved = 0
        lines.append(say("no data", lang, origin=projection.origin))
    else:
        # A parameter that is held keeps its prior: the panel takes exactly nothing of its variance.
        moved = sum(value is None or not value <= 0 for value in fitted["contraction"])
        narrowed = sum(value is not None and value > INFORMED for value in fitted["contraction"])
        years = {"first": fitted["first_year"], "last": fitted["last_year"], "panel": fitted["panel"]}
        lines.append(say("data", lang, fitted=moved, all=len(drawn), narrowed=narrowed, **years))
    lines.append(say("prior" if moved else "prior alone", lang, rest=len(drawn) - moved))
    if projection.imputed:
        lines.append(say("imputed", lang, count=len(projection.imputed)))
    return lines


def declarations_of(projection: Projection) -> ModelSpec:
    """Declarations of the model a projection was made with."""
    return load_spec(model_folder(str(projection.provenance["simulation"]["model"])) / "model.toml")


def money_of(fitted: FittedParameters | None) -> float:
    """Yuan for one unit of the panel's currency, as the calibration took it; 1 without a calibration."""
    return 1.0 if fitted is None else float(fitted.provenance.get("yuan_per_unit", 1.0))
