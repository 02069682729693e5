"""The command that fits a model to a panel."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import (
    DataOptions,
    Free,
    ModelPath,
    PanelChoice,
    TableChoice,
    files_of_model,
    is_own,
    names_of,
    refuse,
)
from pysd_runner.cli.options import Force, Lang, Language, YuanPerUnit
from pysd_runner.cli.projecting import MODEL, target, usual_end
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message
from pysd_runner.text import variable_names

if TYPE_CHECKING:  # these load numpy
    from calibration.fitting.problem import CalibrationProblem
    from calibration.fitting.results import FitResult
    from pysd_runner.panel import Data


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What is fitted, and what is found out about the fit."""

    first_year: Annotated[
        int | None,
        typer.Option("--first-year", metavar="YEAR", help="Start of the window [default: found from the data]."),
    ] = None
    last_year: Annotated[
        int | None, typer.Option("--last-year", metavar="YEAR", help="End of it [default: the last complete year].")
    ] = None
    profiles: Annotated[
        bool,
        typer.Option(
            "--profiles/--no-profiles", help="Estimate all others again along each parameter: takes as long as the fit."
        ),
    ] = True
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample", min=1, metavar="N", help="Sample the posterior and keep N draws, which projections then use."
        ),
    ] = None
    forecast: Annotated[
        bool,
        typer.Option("--forecast/--no-forecast", help="Keep the forecast without policy beside the fit, for runs."),
    ] = True
    yuan_per_unit: YuanPerUnit = None
    free: Free = None
    start: Annotated[
        float | None, typer.Option("--start", help="Own model: where the run starts [default: that of the file].")
    ] = None
    until: Annotated[
        float | None,
        typer.Option("--until", help="Own model: last moment that is fitted; what comes later is held out and scored."),
    ] = None

    @property
    def of_tables(self) -> dict[str, object]:
        """What goes with a model of one's own alone, by option."""
        return {"--free": self.free, "--start": self.start, "--until": self.until}

    @property
    def of_panels(self) -> dict[str, object]:
        """What goes with regions alone, by option."""
        return {
            "--first-year": self.first_year,
            "--last-year": self.last_year,
            "--yuan-per-unit": self.yuan_per_unit,
        }


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = (
        "gapsim calibrate china --out fit",
        "gapsim calibrate china --starts 10 --optimiser cma --executor processes --store china-kept",
        "gapsim calibrate china --sample 2500 --out fit",
        "gapsim calibrate mine.csv --map Land=region --map Jahr=year --regions regions.csv --out fit",
        'gapsim calibrate obs.csv --model mine.mdl --free "contact rate,duration" --out fit',
    )
    command(app, "calibrate", examples=examples)(calibrate)


def calibrate(
    session: Session,
    panel: Annotated[str, typer.Argument(metavar="PANEL", help="Panel file, or the name of a shipped panel.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the fit [default: a new one under results/].")
    ] = None,
    search: steps.Search,
    asked: FitOptions,
    reading: DataOptions,
    model: ModelPath = None,
    lang: Lang = Language.EN,
    force: Force = False,
) -> None:
    """Fit the model to a panel, or a model of your own to any table, and write the parameters with their uncertainty.

    With --model the data are a table of anything over time: columns called like variables of the model are compared
    with them, --map column=variable names others, and `mine.toml` beside `mine.mdl` is read if it is there. Says
    what can be estimated from what before it starts. Where a measurement has several definitions (what counts as a
    digital skill), a fit under each stands in a folder of its own. Exit code 3 when the diagnostics fail; the fit
    is written anyway.
    """
    if is_own(model):
        assert model is not None  # noqa: S101
        refuse({**asked.of_panels, **reading.of_panels}, Message("a model of your own has no regions"))
        table = TableChoice(model=model, source=panel, options=reading)
        # None lets the search be chosen by how the model answers.
        search = replace(search, optimiser=None if search.optimiser == steps.LEAST_SQUARES else search.optimiser)
        calibrate_table(session, table, asked, search, out=out, force=force)
        return
    refuse(
        {**asked.of_tables, **reading.of_tables},
        Message("these options go with a model that takes tables (--model mine.mdl)"),
    )
    choice = PanelChoice(source=panel, options=reading)
    search.check()
    folder = target(out, f"fit-{Path(panel).stem}", force=force, inputs=[*choice.files, *files_of_model(model)])
    first, last = asked.first_year, asked.last_year
    settings: dict[str, Any] = {"start": first, "until": last, "yuan_per_unit": asked.yuan_per_unit}
    read = choice.read(session, first_year=first, last_year=last)
    source = str(model or MODEL)
    problem = steps.problem_of(read, source, **settings)
    names = variable_names(problem.spec.inputs.values(), lang)
    session.note(session.said(str(problem.describe()), names))
    search.tell(session)
    found = steps.fitted(session, problem, search)
    with folder:
        found.save(folder.draft)
        found = steps.judged(session, problem, found, folder.draft, search, profiles=asked.profiles)
        if asked.sample is not None:
            found = steps.sampled(session, problem, found, folder.draft, search, draws=asked.sample)
        steps.alternatives(
            session, read, problem, search, folder.draft, {"model": source, **settings}, sample=asked.sample
        )
        if asked.forecast:
            _forecast(session, read, problem, found, folder.draft, seed=search.seed)
        for path in found.save(folder.draft).iterdir():
            folder.finished(path.name)
        session.kept.append(f"The fit is kept in {folder.kept}; only its figures and its report are missing.")
        steps.draw(session, problem, found, folder.draft, lang, read)
    session.kept.clear()
    _say(session, problem, found, lang)
    session.data = {"folder": folder.path, **steps.data_of(found)}
    session.say()
    session.say(Message("Fit: {folder}", folder=folder.path))
    session.say(Message("  Start with {page}, or report.md beside it.", page=folder.path / "report.html"))
    pairs = (("--model", model), ("--mapping", reading.mapping), ("--regions", reading.regions))
    options = "".join(f" {name} {value}" for name, value in pairs if value)
    session.say(
        Message(
            "  `gapsim run zoned_need --panel {panel}{options} --fit {folder}` projects with it.",
            panel=panel,
            options=options,
            folder=folder.path,
        )
    )
    steps.refuse_failed(found, folder.path)


def _forecast(
    session: Session, panel: "Data", problem: "CalibrationProblem", found: "FitResult", folder: Path, *, seed: int
) -> None:
    """Keep the forecast without policy beside the fit; a panel that cannot be forecast has none."""
    from pysd_runner.cli.projecting import DRAWS, baseline_of
    from pysd_runner.study.inputs import last_origin

    seen = panel.subset(times=range(panel.years[0], last_origin(panel) + 1))
    until = usual_end(seen.years[-1])
    baseline_of(session, seen, found.fitted, folder, model=problem.model, until=until, draws=DRAWS, seed=seed)


def _say(session: Session, problem: "CalibrationProblem", found: "FitResult", lang: str) -> None:
    """Print the parameters with their verdicts; what to keep in mind stands in the same text."""
    from dataclasses import asdict

    from pysd_runner.reports.evidence import certainty_lines

    names = variable_names(problem.spec.parameters.values(), lang)
    for line in (found.headline, *certainty_lines(asdict(found.fitted), problem.spec, lang=lang), *found.remarks):
        session.say(session.said(line, names))
    findings = [session.said(str(item), names) for item in found.findings]
    session.warnings += [text for text in findings if text not in session.warnings]


def calibrate_table(
    session: Session, choice: TableChoice, asked: FitOptions, search: steps.Search, *, out: Path | None, force: bool
) -> None:
    """Fit a model of one's own to a table, and write the parameters with their uncertainty."""
    folder = target(out, f"fit-{Path(choice.source or '').stem}", force=force, inputs=choice.files)
    problem = _table_problem(session, choice, asked, search.seed)
    session.note(str(problem.describe()))
    search.tell(session)
    with folder:
        found = steps.fitted(session, problem, search)
        found.save(folder.draft)
        found = steps.judged(session, problem, found, folder.draft, search, profiles=asked.profiles)
        if asked.sample is not None:
            found = steps.sampled(session, problem, found, folder.draft, search, draws=asked.sample)
        for path in found.save(folder.draft).iterdir():
            folder.finished(path.name)
        _write_table_fit(session, found, problem, folder.draft)
    _say_table_fit(session, found)
    session.data = {"folder": folder.path, **_table_fit_data(found)}
    session.say()
    session.say(Message("Fit: {folder}", folder=folder.path))
    session.say(Message("  Start with {page}, or report.md beside it.", page=folder.path / "report.html"))
    session.say(f"  `gapsim run scenario.yaml --model {choice.model} --fit {folder.path}` runs scenarios with it.")
    steps.refuse_failed(found, folder.path)


def _table_problem(session: Session, choice: TableChoice, asked: FitOptions, seed: int) -> "CalibrationProblem":
    from calibration.fitting.problem import CalibrationProblem

    model = choice.load_model()
    table = choice.load(session)
    assert table is not None  # noqa: S101
    return CalibrationProblem(model, table, free=names_of(asked.free), start=asked.start, until=asked.until, seed=seed)


def _write_table_fit(session: Session, found: "FitResult", problem: "CalibrationProblem", folder: Path) -> None:
    """Draw the fit and write its report."""
    from calibration.reporting.report import write_table_report

    with session.stage(Message("Drawing the fit and writing its report")):
        write_table_report(found, folder, description=problem.describe())


def _say_table_fit(session: Session, found: "FitResult") -> None:
    for line in found.summary().splitlines():
        session.say(line)
    session.warnings += [str(item) for item in found.findings if str(item) not in session.warnings]


def _table_fit_data(found: "FitResult") -> dict[str, Any]:
    return {
        "status": found.fitted.status,
        "message": found.fitted.message,
        "data": found.fitted.panel,
        "start": found.fitted.first_year,
        "stop": found.fitted.last_year,
        "parameters": found.table().to_dict("records"),
        "held_out": [asdict(item) for item in found.holdout],
        "diagnostics_failed": [str(item) for item in found.check()],
        "seconds": found.seconds,
    }
