"""From a panel, scenarios and a fit to a folder of results; shared by the commands that project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.session import Session

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.panel import Panel
    from pysd_runner.projection import Projection
    from pysd_runner.reports.folders import WholeFolder
    from pysd_runner.reports.inputs import Inputs
    from pysd_runner.spec import FittedParameters

MODEL = "regional_digital"
DRAWS, UNTIL = 200, 2040
DEFAULT_PARENT = Path("results")
FITTED_FILE = "fitted.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be projected.

    Parameters
    ----------
    panel
        The panel.
    source
        Shipped name or file it was read from.
    scenarios
        Shipped names and files.
    fitted
        What a calibration found, or None.
    settings
        ``until``, ``draws``, ``seed``, ``yuan_per_unit``; None stands for the default.
    lang
        Language of figures and tables.
    check
        Whether the behaviour rules and units of the model are checked.
    """

    panel: "Panel"
    source: str
    scenarios: Sequence[str]
    fitted: "FittedParameters | None" = None
    settings: Mapping[str, Any]
    lang: str = "en"
    check: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What is said about results once their folder stands.

    Parameters
    ----------
    lines
        For people.
    data
        For programs.
    broken
        Rules of the model that some draw breaks.
    """

    lines: Sequence[str]
    data: Mapping[str, Any]
    broken: Sequence[str] = ()


def target(out: Path | None, name: str, *, force: bool, inputs: Iterable[str | Path] = ()) -> "WholeFolder":
    """Folder a command will write, checked before any work is done.

    Parameters
    ----------
    out
        What was asked for; None takes a new folder under ``results/``.
    name
        Name of that new folder.
    force
        Whether earlier results may be replaced.
    inputs
        What is read, which is never replaced.

    Returns
    -------
    WholeFolder
        To be entered.

    Raises
    ------
    InvalidInput
        If something is there that may not be replaced.
    """
    from pysd_runner.reports.folders import WholeFolder, check_inputs, fresh_folder

    if out is not None:
        check_inputs(out, inputs)
    return WholeFolder(fresh_folder(DEFAULT_PARENT / name) if out is None else out, replace=force)


def files_of(path: Path | None) -> list[Path]:
    """What is read of a file or of a folder of results, which no command replaces.

    Parameters
    ----------
    path
        What was given; None for nothing.
    """
    return [] if path is None else [path, *path.glob("*")] if path.is_dir() else [path]


def read_fit(path: Path) -> "FittedParameters":
    """Read fitted parameters from their file or from the folder that holds it.

    Parameters
    ----------
    path
        What `gapsim calibrate` wrote.

    Returns
    -------
    FittedParameters
        What it found.

    Raises
    ------
    InvalidInput
        If it cannot be read.
    """
    from pysd_runner.spec import load_fitted

    return load_fitted(path / FITTED_FILE if path.is_dir() else path)


def project_job(session: Session, job: Job, folder: "WholeFolder") -> Report:
    """Project and write the results.

    Parameters
    ----------
    session
        Where progress and warnings go.
    job
        What is to be projected.
    folder
        Gets the results.

    Returns
    -------
    Report
        What there is to say.
    """
    from pysd_runner.model import load_model
    from pysd_runner.projection import project
    from pysd_runner.reports.evidence import money_of
    from pysd_runner.reports.inputs import Inputs
    from pysd_runner.reports.model_checks import ModelChecks
    from pysd_runner.scenarios import load_scenario, with_comparisons

    model = load_model(MODEL, regions=len(job.panel.regions))
    asked = [load_scenario(name, model=model, regions=job.panel.regions) for name in job.scenarios]
    cast = with_comparisons(asked, model=model)
    given = {key: value for key, value in job.settings.items() if value is not None}
    settings = {"until": UNTIL, "draws": DRAWS, "yuan_per_unit": money_of(job.fitted), **given}
    draws = int(settings["draws"])
    title = f"Projecting {counted(len(cast), 'scenario')} to {settings['until']}, {counted(draws, 'draw')}"
    checks = ModelChecks(model)
    if job.check:
        checks.inspect_units()
        settings |= {"inspect": checks.inspect, "also": checks.outcomes}
    with session.stage(title, total=draws) as stage:
        projection = project(model, job.panel, asked, job.fitted, progress=stage.advance, **settings)
    inputs = Inputs(panel=job.panel, source=job.source, fitted=job.fitted)
    report = write(session, projection, inputs, folder, job.lang)
    if not job.check:
        return report
    for text in checks.broken:
        session.warn(text)
    data = {**report.data, "checks": {"verdict": checks.verdict, "broken": checks.broken}}
    return replace(report, lines=[*report.lines, "", checks.verdict], data=data, broken=checks.broken)


def write(session: Session, projection: "Projection", inputs: "Inputs", folder: "WholeFolder", lang: str) -> Report:
    """Write the results of a projection.

    Parameters
    ----------
    session
        Where progress and warnings go.
    projection
        What was projected.
    inputs
        What it was made from.
    folder
        Gets the results.
    lang
        Language of figures and tables.

    Returns
    -------
    Report
        What there is to say.
    """
    from pysd_runner.reports.levels import level_table
    from pysd_runner.reports.overview import overview
    from pysd_runner.reports.results import figure_count, write_results

    def finished(name: str) -> None:
        folder.finished(name)
        session.kept[:] = [f"The projection is kept in {folder.path}; `gapsim plot {folder.path}` draws its figures."]

    with session.stage("Drawing and writing", total=figure_count(projection)) as stage:
        results = write_results(
            projection, folder.draft, inputs=inputs, lang=lang, progress=stage.advance, finished=finished
        )
    session.kept.clear()
    for text in projection.warnings:
        session.warn(text)
    summary = results.summary
    data = {
        "origin": projection.origin,
        "settings": projection.provenance["settings"],
        "baselines": dict(projection.baselines),
        "summary": [] if summary is None else summary.frame.reset_index().to_dict("records"),
        "levels": level_table(projection).to_dict("records"),
        "imputed": list(projection.imputed),
        "figures": list(results.figures),
    }
    return Report(lines=overview(projection, summary, lang=lang), data=data)


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is one.

    Parameters
    ----------
    number
        How many.
    noun
        In the singular.

    Returns
    -------
    str
        For instance ``"1 draw"`` or ``"20 draws"``.

    Examples
    --------
    >>> counted(1, "draw"), counted(20, "draw")
    ('1 draw', '20 draws')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def tell(session: Session, report: Report, folder: Path) -> None:
    """Print a report and say where the results are.

    Parameters
    ----------
    session
        Where to print.
    report
        What there is to say.
    folder
        Where the results are.
    """
    session.data = {"folder": folder, **(session.data or {}), **report.data}
    for line in report.lines:
        session.say(line)
    session.say()
    session.say(f"Results: {folder}")
    session.say(f"  Start with {folder / 'summary.md'} and {folder / 'figures'}.")
    session.say(f"  `gapsim run {folder / 'run.json'}` makes them again.")
