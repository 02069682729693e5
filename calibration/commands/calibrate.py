"""The command that fits a model to a panel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibration.commands import steps
from calibration.commands.own_model import TableFitting, calibrate_table
from pysd_runner.cli.command import command
from pysd_runner.cli.options import (
    Encoding,
    ExecutorName,
    Force,
    Lang,
    Language,
    Map,
    MappingFile,
    NationalFile,
    RegionFile,
    Seed,
    StoreFolder,
    Unit,
    YuanPerUnit,
)
from pysd_runner.cli.panels import PanelChoice
from pysd_runner.cli.projecting import MODEL, target, usual_end
from pysd_runner.cli.session import Session
from pysd_runner.cli.tables import (
    Entity,
    Free,
    ModelPath,
    Start,
    TableChoice,
    TimeColumn,
    TimeUnit,
    files_of_model,
    is_own,
    names_of,
    refuse,
)
from pysd_runner.core.errors import Message
from pysd_runner.text.notices import variable_names

if TYPE_CHECKING:  # these load numpy
    from calibration.fitting.problem import CalibrationProblem
    from calibration.fitting.results import FitResult
    from pysd_runner.panel import Panel

LEAST_SQUARES = "least_squares"

Optimiser = Annotated[
    str,
    typer.Option(
        "--optimiser",
        metavar="NAME",
        help="Search: least_squares, minimize, differential_evolution or cma.",
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", min=0.001, help="Time budget of the calibration [default: none]."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="How many threads or processes; results do not depend on it."),
]


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
    starts: steps.Starts = steps.STARTS,
    seed: Seed = 0,
    optimiser: Optimiser = LEAST_SQUARES,
    seconds: Seconds = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    store: StoreFolder = None,
    first_year: Annotated[
        int | None,
        typer.Option("--first-year", metavar="YEAR", help="Start of the window [default: found from the data]."),
    ] = None,
    last_year: Annotated[
        int | None, typer.Option("--last-year", metavar="YEAR", help="End of it [default: the last complete year].")
    ] = None,
    profiles: Annotated[
        bool,
        typer.Option(
            "--profiles/--no-profiles", help="Estimate all others again along each parameter: takes as long as the fit."
        ),
    ] = True,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample", min=1, metavar="N", help="Sample the posterior and keep N draws, which projections then use."
        ),
    ] = None,
    forecast: Annotated[
        bool,
        typer.Option("--forecast/--no-forecast", help="Keep the forecast without policy beside the fit, for runs."),
    ] = True,
    columns: Map = None,
    units: Unit = None,
    mapping: MappingFile = None,
    regions: RegionFile = None,
    national: NationalFile = None,
    encoding: Encoding = None,
    yuan_per_unit: YuanPerUnit = None,
    model: ModelPath = None,
    free: Free = None,
    time: TimeColumn = None,
    time_unit: TimeUnit = None,
    entity: Entity = None,
    start: Start = None,
    until: Annotated[
        float | None,
        typer.Option("--until", help="Own model: last moment that is fitted; what comes later is held out and scored."),
    ] = None,
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
    own: dict[str, object] = {
        "--free": free,
        "--time": time,
        "--time-unit": time_unit,
        "--entity": entity,
        "--start": start,
        "--until": until,
    }
    if is_own(model):
        assert model is not None  # noqa: S101
        regional: dict[str, object] = {
            "--first-year": first_year,
            "--last-year": last_year,
            "--mapping": mapping,
        }
        regional |= {"--regions": regions, "--national": national, "--yuan-per-unit": yuan_per_unit}
        refuse(regional, Message("a model of your own has no regions"))
        table = TableChoice(
            model=model,
            source=panel,
            columns=columns or (),
            units=units or (),
            time=time,
            time_unit=time_unit,
            entity=entity or (),
            encoding=encoding,
        )
        asked = TableFitting(
            choice=table,
            free=names_of(free),
            start=start,
            until=until,
            search=steps.Search(
                starts, seed, None if optimiser == LEAST_SQUARES else optimiser, seconds, executor, workers, store
            ),
            profiles=profiles,
            sample=sample,
        )
        calibrate_table(session, asked, out=out, force=force)
        return
    refuse(own, Message("these options go with a model that takes tables (--model mine.mdl)"))
    choice = PanelChoice(
        source=panel,
        columns=columns or (),
        units=units or (),
        mapping=mapping,
        regions=regions,
        national=national,
        encoding=encoding,
    )
    search = steps.Search(starts, seed, optimiser, seconds, executor, workers, store)
    search.check()
    folder = target(out, f"fit-{Path(panel).stem}", force=force, inputs=[*choice.files, *files_of_model(model)])
    settings: dict[str, Any] = {"start": first_year, "until": last_year, "yuan_per_unit": yuan_per_unit}
    read = choice.read(session, first_year=first_year, last_year=last_year)
    source = str(model or MODEL)
    problem = steps.problem_of(read, source, **settings)
    names = variable_names(problem.spec.inputs.values(), lang)
    session.note(session.said(str(problem.describe()), names))
    search.tell(session)
    found = steps.fitted(session, problem, search)
    with folder:
        found.save(folder.draft)
        found = steps.judged(session, problem, found, folder.draft, search, profiles=profiles)
        if sample is not None:
            found = steps.sampled(session, problem, found, folder.draft, search, draws=sample)
        steps.alternatives(session, read, problem, search, folder.draft, {"model": source, **settings}, sample=sample)
        if forecast:
            _forecast(session, read, problem, found, folder.draft, seed=seed)
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
    pairs = (("--model", model), ("--mapping", mapping), ("--regions", regions))
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
    session: Session, panel: "Panel", problem: "CalibrationProblem", found: "FitResult", folder: Path, *, seed: int
) -> None:
    """Keep the forecast without policy beside the fit; a panel that cannot be forecast has none."""
    from pysd_runner.cli.baselines import DRAWS, baseline_of
    from pysd_runner.study.inputs import last_origin

    seen = panel.subset(years=range(panel.years[0], last_origin(panel) + 1))
    until = usual_end(seen.years[-1])
    baseline_of(session, seen, found.fitted, folder, model=problem.model, until=until, draws=DRAWS, seed=seed)


def _say(session: Session, problem: "CalibrationProblem", found: "FitResult", lang: str) -> None:
    """Print the parameters with their verdicts; what to keep in mind stands in the same text."""
    from dataclasses import asdict

    from pysd_runner.reports.certainty import certainty_lines

    names = variable_names(problem.spec.parameters.values(), lang)
    for line in (found.headline, *certainty_lines(asdict(found.fitted), problem.spec, lang=lang), *found.remarks):
        session.say(session.said(line, names))
    findings = [session.said(str(item), names) for item in found.findings]
    session.warnings += [text for text in findings if text not in session.warnings]
