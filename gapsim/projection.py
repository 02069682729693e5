"""Projections of any model from a script, with the same steps and numbers as `gapsim run`."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pysd_runner.core.progress import ProgressCallback, with_progress
from pysd_runner.data import Data
from pysd_runner.evidence.following import Following, started
from pysd_runner.spec import Baseline
from pysd_runner.study.arguments import AnyFit, AnyModel, HasProblem, loaded, parameters_of, subject_of
from pysd_runner.study.future import Future
from pysd_runner.study.projection import HasBaseline, project as projected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysd_runner.data.sources import AnySource
    from pysd_runner.study.projection import Scenarios


@with_progress("Projecting")
def project(  # noqa: PLR0913 - a public entry point
    model: AnyModel | HasProblem,
    data: "Data | AnySource | None" = None,
    scenarios: "Scenarios | None" = None,
    fit: AnyFit | None = None,
    *,
    forecast: Baseline | HasBaseline | Literal["auto"] | None = "auto",
    evidence: bool = True,
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
    outcomes: "Sequence[str] | None" = None,
    yuan_per_unit: float | None = None,
    progress: ProgressCallback = None,
) -> Future:
    """Run scenarios for draws from a fit: the same numbers as `gapsim run` gives.

    All scenarios share the draws, so that intervals of differences from the run without policy are much narrower than
    those of levels. Of regions the run without policy follows a forecast, made here unless one is given.

    Parameters
    ----------
    model
        Any model: loaded, a name or a path. A fit stands for its model, its data and itself, as in
        ``project(fit, scenarios)``.
    data
        A panel of regions; or, for any other model, observations to plot with its outcomes; None without data.
    scenarios
        For regions: one or several scenarios, names of shipped ones, or dictionaries as for `load_scenario`. For any
        other model: scenarios, dictionaries of changes, or files; or a dictionary of dictionaries, which names them.
    fit
        Result of a calibration, its parameters, or its folder. None draws the parameters of a regional model from their
        priors, and runs any other model once with the values of its file.
    forecast
        Of regions: the forecast that the run without policy follows; ``"auto"`` makes one, None lets the model run
        free, so that levels are no forecasts. Any other model follows none.
    evidence
        Whether the fit is weighed by the measured effects that the model declares.
    until
        Last year or model time; None for 2040, or the end of the model.
    draws
        Number of draws; None for 2,500 of regions, and for 500 otherwise.
    seed
        Seed of the draws, and of the forecast.
    outcomes
        Variables of a model without regions to save; None for observed and declared ones, and the first stocks.
    yuan_per_unit
        Yuan for one unit of the panel's currency; None for that of the fit.
    progress
        As for `fit`.

    Returns
    -------
    Future
        Outcomes of every scenario.

    Raises
    ------
    InvalidInput
        If years, draws or regions do not match, or the fit is for another model or used data after the origin.
    InvalidScenario
        If a scenario changes a variable that is not a constant, or two have the same name.
    SimulationFailed
        If a regional simulation is not finite, or every draw of any other model fails.
    """
    given, data, scenarios, fit = subject_of(model, data, scenarios, fit)
    known, seen = loaded(given, data)
    notices = _Notices()
    how = Following(
        forecast=forecast,
        evidence=evidence,
        folder=Path(fit) if isinstance(fit, str | Path) and Path(fit).is_dir() else None,
        is_whole=fit is not None and not isinstance(fit, str | Path),
    )
    asked = {"until": until, "draws": draws, "seed": seed, "yuan_per_unit": yuan_per_unit}
    settings = {name: value for name, value in asked.items() if value is not None}
    start = started(notices, known, seen, parameters_of(fit, draws), settings, how)
    found = projected(
        known,
        start.data,
        scenarios,
        start.fitted,
        start.baseline,
        outcomes=outcomes,
        progress=progress,
        **start.settings,
    )
    return replace(found, warnings=(*notices.texts, *found.warnings))


class _Notices:
    """Receiver of warnings in a script, which become warnings of the result."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def stage(self, _title: str, /) -> nullcontext["_Notices"]:
        """Nothing is shown."""
        return nullcontext(self)

    def at(self, _what: str, _done: int, _total: int) -> None:
        """Nothing is shown."""

    def warn(self, text: str, /) -> None:
        """Keep a warning."""
        self.texts.append(text)

    def note(self, text: str, /) -> None:
        """Nothing is shown."""
