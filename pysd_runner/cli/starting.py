"""Inputs shared by all scenarios, from the options of a command."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.cli.options import RunOptions
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.data import Data
    from pysd_runner.evidence.following import RunStart
    from pysd_runner.model import Model
    from pysd_runner.spec import FittedParameters

FITTED_FILE = "fitted.json"


def read_fit(path: Path) -> "FittedParameters":
    """Read fitted parameters from their file or from the folder that holds it."""
    from pysd_runner.spec import load_fitted

    return load_fitted(path)


def reweighted(
    session: Session, model: "Model", data: "Data | None", fitted: "FittedParameters", asked: RunOptions
) -> "FittedParameters":
    """Reweight the draws of a fit by the measured effects of the model, unless this is skipped."""
    from pysd_runner.evidence.following import reweighted as weighed_by

    return fitted if "evidence" in asked.left_out else weighed_by(session, model, data, fitted, asked.seed or 0)


def read_others(path: Path | None) -> "dict[str, FittedParameters]":
    """Read the fits under alternative definitions from the subfolders of a fit."""
    if path is None or not path.is_dir():
        return {}
    found = {file.parent.name: read_fit(file) for file in sorted(path.glob(f"*/{FITTED_FILE}"))}
    return {name: item for name, item in found.items() if name in definitions_of(item)}


def definitions_of(fitted: "FittedParameters") -> tuple[str, ...]:
    """National series that a fit uses for measurements with several alternative series."""
    return tuple(map(str, dict(fitted.provenance.get("definitions") or {}).values()))


def started(
    session: Session,
    model: "Model",
    data: "Data | None",
    fitted: "FittedParameters | None",
    asked: RunOptions,
    *,
    draws: int | None = None,
    scenarios: int = 1,
    regions: Sequence[str] = (),
    events: Sequence[str] = (),
) -> "RunStart":
    """Prepare the inputs shared by all scenarios; reject invalid requests before regions are forecast."""
    from pysd_runner.evidence.following import DRAWS, Following, started as begun

    def check(seen: "Data", until: int) -> None:
        _check_events(seen, until, events)
        check_regions(regions, seen, session.lang)

    how = Following(
        forecast=None if "forecast" in asked.left_out else "auto",
        evidence="evidence" not in asked.left_out,
        folder=asked.folder,
        keeps=True,
        draws=draws or DRAWS,
        scenarios=scenarios,
        check=check,
    )
    return begun(session, model, data, fitted, asked.settings, how)


def check_regions(names: Sequence[str], panel: "Data", lang: str) -> None:
    """Refuse a name that is not a single region of the panel."""
    from pysd_runner.reports.panels import find_place

    for name in names:
        if find_place(name, panel.regions, lang).kind != "region":
            raise InvalidInput("figures show single regions; {name!r} is none", name=name)


def _check_events(panel: "Data", until: int, events: Sequence[str]) -> None:
    """Check the events, before any work is done."""
    import numpy as np

    from pysd_runner.indicators.events import chances, event_draws

    places = panel.regions
    names = {place.code: (place.name_en, place.name_zh) for place in places}
    heads = np.log(panel.array("output_per_head")[:, -1])
    years = tuple(range(panel.years[-1] + 1, until + 1))
    draws = np.zeros((1, len(places), len(years)))
    chances(events, event_draws(names, [place.group for place in places], heads - np.nanmean(heads), draws, years))
