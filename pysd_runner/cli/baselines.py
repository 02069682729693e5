"""The forecast a run starts from: the one beside the fit, or a new one from whoever registered to make it."""

from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message, of_system

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.model import Model
    from pysd_runner.panel import Panel
    from pysd_runner.spec import Baseline, FittedParameters

GROUP = "gapsim.baselines"
DRAWS = 2500


def baseline_of(
    session: Session,
    panel: "Panel",
    fitted: "FittedParameters | None",
    folder: Path | None,
    *,
    model: "Model",
    until: int,
    draws: int,
    seed: int,
) -> "Baseline | None":
    """Read or make the forecast of a panel."""
    kept = None if folder is None else kept_in(folder, panel, fitted, until=until, draws=draws, seed=seed)
    if kept is not None:
        return kept
    found = list(entry_points(group=GROUP))
    if not found:
        session.warn(
            Message("No forecast: the package that makes them is not installed; the run follows the model alone.")
        )
        return None
    with session.stage(Message("Forecasting without policy")) as stage:
        try:
            made: Baseline = found[0].load()(
                panel, fitted, until=until, draws=max(draws, DRAWS), seed=seed, model=model, progress=stage.at
            )
        except InvalidInput as reason:
            session.warn(Message("No forecast, because {reason}: the run follows the model alone.", reason=reason))
            return None
    if folder is not None:
        keep(session, made, folder)
    return made


def kept_in(
    folder: Path, panel: "Panel", fitted: "FittedParameters | None", *, until: int, draws: int, seed: int
) -> "Baseline | None":
    """Read the forecast in the folder of a fit."""
    from pysd_runner.spec import load_baseline
    from pysd_runner.spec.baseline import FILE

    if not (folder / FILE).is_file():
        return None
    found = load_baseline(folder)
    digest = (found.provenance.get("fit") or {}).get("sha256")
    is_same = (
        (found.panel_sha256, found.regions) == (panel.sha256, panel.codes)
        and digest == (None if fitted is None else fitted.sha256)
        and found.provenance.get("seed") == seed
        and found.provenance.get("gapsim") == version("gapsim")
    )
    return found if is_same and found.years[-1] >= until and len(found) >= draws else None


def keep(session: Session, made: "Baseline", folder: Path) -> None:
    """Write a forecast into the folder of a fit; warn where that cannot be done."""
    try:
        path = made.save(folder)
    except OSError as error:
        session.warn(
            Message(
                "The forecast could not be kept in {folder}: {reason}; the next run makes it again.",
                folder=folder,
                reason=of_system(error),
            )
        )
    else:
        session.note(Message("The forecast is kept in {path}.", path=path))
