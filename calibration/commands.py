"""The commands that calibrate; the command line finds them through an entry point."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibration import backtest_command, forecast_command
from calibration.table_commands import TableFitting, calibrate_table
from pysd_runner.cli.command import command
from pysd_runner.cli.options import (
    Draws,
    Encoding,
    Force,
    Lang,
    Language,
    Map,
    MappingFile,
    NationalFile,
    RegionFile,
    Seed,
    ShownRegions,
    Unit,
    Until,
    YuanPerUnit,
)
from pysd_runner.cli.panels import PanelChoice
from pysd_runner.cli.projecting import MODEL, UNTIL, Job, files_of, project_job, target, tell
from pysd_runner.cli.session import Session
from pysd_runner.cli.tables import (
    Entity,
    Free,
    ModelFile,
    Start,
    TableChoice,
    TimeColumn,
    TimeUnit,
    names_of,
    refuse,
)
from pysd_runner.errors import CalibrationFailed, InvalidInput, SimulationFailed

if TYPE_CHECKING:  # these load numpy
    from collections.abc import Sequence

    from calibration.evaluation import Evaluation, Subject
    from calibration.problem import CalibrationProblem
    from calibration.results import FitResult
    from pysd_runner.panel import Panel
    from pysd_runner.scenarios import Scenario

PANEL = "china"
FIT = "fit"
POOLED = "pooled"
STARTS = 4
LEAST_SQUARES = "least_squares"

# Parts of an evaluation whose failures are those of the model itself, as in `gapsim run --check`.
COMPUTED = ("structure", "numerics")

# Policies whose paths the demonstration draws.
DEMONSTRATED = ("zoned_need", "skills_programme")
# Mixes that it compares, each with its money per head and by need, beside every single lever.
CROSSED = (
    "zoned",
    "uniform_mean_mix",
    "frontier_for_all",
    "transition_for_all",
    "lagging_for_all",
    "uniform_sevenths",
    "uniform_per_head",
)
DRAWS_KEPT = 1000

Starts = Annotated[
    int, typer.Option("--starts", min=1, help="Number of searches: one led by the data, others from the prior.")
]
Optimiser = Annotated[
    str,
    typer.Option(
        "--optimiser",
        metavar="NAME",
        help="Search: least_squares, minimize, differential_evolution, dual_annealing, shgo, basinhopping or cma.",
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", min=0.001, help="Time budget of the calibration [default: none]."),
]
Workers = Annotated[
    int,
    typer.Option("--workers", min=1, help="Searches at the same time, each in a thread; results do not depend on it."),
]
Effect = Annotated[
    str | None,
    typer.Option(
        "--pool",
        metavar="INPUT",
        help="Find a value of this input for each region, pulled towards zero; the fit with them goes into pooled/.",
    ),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        dir_okay=False,
        help="Keeps finished searches; the same command goes on from there after a kill.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application.

    Parameters
    ----------
    app
        The command line.
    """
    command(app, "demo", examples=("gapsim demo", "gapsim demo --draws 20 --out demo"))(demo)
    examples = (
        "gapsim calibrate china --out fit",
        "gapsim calibrate china --starts 10 --optimiser cma --seconds 120 --checkpoint china.json",
        "gapsim calibrate china --sample 1000 --out fit",
        "gapsim calibrate mine.csv --map 省份=region --map 年份=year --regions regions.csv --out fit",
        'gapsim calibrate obs.csv --model mine.mdl --free "contact rate,duration" --out fit',
    )
    command(app, "calibrate", examples=examples)(calibrate)
    evaluations = (
        "gapsim evaluate",
        "gapsim evaluate fit --out evaluation",
        "gapsim evaluate my_fit --panel mine.csv --regions regions.csv --quick",
        "gapsim evaluate --model mine.mdl",
    )
    command(app, "evaluate", examples=evaluations)(evaluate)
    backtest_command.register(app)
    forecast_command.register(app)


@dataclass(frozen=True, slots=True)
class Search:
    """How a calibration searches; the fields are those of `calibration.fit.fit`."""

    starts: int
    seed: int
    optimiser: str = "least_squares"
    seconds: float | None = None
    workers: int = 1
    checkpoint: Path | None = None

    def check(self) -> None:
        """Refuse an unknown optimiser before anything is read."""
        from calibration.optimisers import optimiser_named

        optimiser_named(self.optimiser)

    def run(self, problem: "CalibrationProblem", progress: Callable[[str, int, int], None]) -> "FitResult":
        """Fit a problem."""
        from concurrent.futures import ThreadPoolExecutor

        from calibration.fit import fit

        with ThreadPoolExecutor(self.workers) if self.workers > 1 else nullcontext() as executor:
            return fit(
                problem,
                starts=self.starts,
                seed=self.seed,
                optimiser=self.optimiser,
                seconds=self.seconds,
                executor=executor,
                checkpoint=self.checkpoint,
                progress=progress,
            )


def calibrate(
    session: Session,
    panel: Annotated[str, typer.Argument(metavar="PANEL", help="Panel file, or the name of a shipped panel.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the fit [default: a new one under results/].")
    ] = None,
    starts: Starts = STARTS,
    seed: Seed = 0,
    optimiser: Optimiser = LEAST_SQUARES,
    seconds: Seconds = None,
    workers: Workers = 1,
    checkpoint: CheckpointFile = None,
    effect: Effect = None,
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
    model: ModelFile = None,
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
    with them, --map column=variable names others, and `mine.toml` beside `mine.mdl` is read if it is there. Says what can be estimated from what before it starts. Where a measurement has several definitions (what counts as a
    digital skill), a fit under each stands in a folder of its own. Exit code 3 when the diagnostics fail; the fit is
    written anyway.
    """
    own = {"--free": free, "--time": time, "--time-unit": time_unit, "--entity": entity, "--start": start, "--until": until}
    if model is not None:
        regional = {"--pool": effect, "--first-year": first_year, "--last-year": last_year, "--mapping": mapping}
        regional |= {"--regions": regions, "--national": national, "--yuan-per-unit": yuan_per_unit}
        refuse(regional, "a model of your own has no regions")
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
            starts=starts,
            seed=seed,
            optimiser=None if optimiser == LEAST_SQUARES else optimiser,
            seconds=seconds,
            workers=workers,
            checkpoint=checkpoint,
            profiles=profiles,
            sample=sample,
        )
        calibrate_table(session, asked, out=out, force=force)
        return
    refuse(own, "these options go with a model of your own (--model mine.mdl)")
    choice = PanelChoice(
        source=panel,
        columns=columns or (),
        units=units or (),
        mapping=mapping,
        regions=regions,
        national=national,
        encoding=encoding,
    )
    search = Search(starts, seed, optimiser, seconds, workers, checkpoint)
    search.check()
    folder = target(out, f"fit-{Path(panel).stem}", force=force, inputs=choice.files)
    settings: dict[str, Any] = {"first_year": first_year, "last_year": last_year, "yuan_per_unit": yuan_per_unit}
    read = choice.read(session, first_year=first_year, last_year=last_year)
    problem = _problem(read, **settings)
    if effect:
        # Before the work, not after it.
        from calibration.pooling import check_poolable

        check_poolable(problem, effect)
    session.note(str(problem.describe()))
    found = _fit(session, problem, search)
    with folder:
        found.save(folder.draft)
        found = _judged(session, problem, found, folder.draft, profiles=profiles)
        if sample is not None:
            found = _sampled(session, problem, found, folder.draft, draws=sample, seed=seed)
        _alternatives(session, read, problem, search, folder.draft, settings, sample=sample)
        if forecast:
            _forecast(session, read, found, folder.draft, seed=seed)
        if effect:
            _pooled(session, problem, found, folder.draft / POOLED, effect)
        for path in found.save(folder.draft).iterdir():
            folder.finished(path.name)
        session.kept.append(f"The fit is kept in {folder.path}; only its figures and its report are missing.")
        _draw(session, problem, found, folder.draft, lang, read)
    session.kept.clear()
    _say(session, found, lang)
    session.data = {"folder": folder.path, **_data(found)}
    session.say()
    session.say(f"Fit: {folder.path}")
    session.say(f"  Start with {folder.path / 'report.html'}, or report.md beside it.")
    options = "".join(f" {name} {value}" for name, value in (("--mapping", mapping), ("--regions", regions)) if value)
    session.say(f"  `gapsim run zoned_need --panel {panel}{options} --fit {folder.path}` projects with it.")
    _judge(found, folder.path)


def evaluate(
    session: Session,
    fit: Annotated[
        Path | None,
        typer.Argument(metavar="[FIT]", help="Folder that `gapsim calibrate` wrote [default: calibrates first]."),
    ] = None,
    *,
    panel: Annotated[
        str | None,
        typer.Option("--panel", help="Panel file or shipped name [default: that of the fit, or else china]."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Evaluate this Vensim or XMILE file by itself: units, rules beside it, numerics."),
    ] = None,
    until: Until = None,
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller designs, for a first look.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the report [default: a new one under results/].")
    ] = None,
    columns: Map = None,
    units: Unit = None,
    mapping: MappingFile = None,
    regions: RegionFile = None,
    national: NationalFile = None,
    encoding: Encoding = None,
    lang: Lang = Language.EN,
    force: Force = False,
) -> int:
    """Evaluate a calibrated model: what passed, what failed, what could not be tested and why.

    Fit, residuals, patterns of behaviour, structure, numerics, sensitivity, ranking of policies, reporting guidelines;
    as Markdown, HTML, CSV and JSON. Without a fit the panel is calibrated first, and the fit kept in the folder. Exit
    code 4 when a test of structure or numerics failed, 3 when another one did; the report is written anyway.
    """
    given = {"FIT": fit, "--panel": panel, "--until": until}
    if model is not None and any(value is not None for value in given.values()):
        names = ", ".join(name for name, value in given.items() if value is not None)
        raise InvalidInput(f"--model evaluates a file by itself; leave {names} away")
    reading = PanelChoice(
        source=panel or "",
        columns=columns or (),
        units=units or (),
        mapping=mapping,
        regions=regions,
        national=national,
        encoding=encoding,
    )
    name, read = "evaluation", [*reading.files, *files_of(fit)]
    if model is not None:
        name, read = f"evaluation-{model.stem}", [model]
    folder = target(out, name, force=force, inputs=read)
    subject = _alone(model) if model is not None else _calibrated(session, fit, reading, until, seed)
    found = _evaluated(session, subject, seed=seed, quick=quick)
    with folder:
        if fit is None and subject.calibrated is not None:
            subject.calibrated.result.save(folder.draft / FIT)
        _report(session, found, folder.draft, lang)
    return _tell(session, found, folder.path, lang)


def demo(
    session: Session,
    *,
    draws: Draws = None,
    until: Until = None,
    starts: Starts = STARTS,
    seed: Seed = 0,
    region: ShownRegions = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results [default: a new one, results/demo].")
    ] = None,
    lang: Lang = Language.EN,
    force: Force = False,
) -> None:
    """Go the whole way on the shipped panel: check, calibrate, forecast, project to 2040, compare, draw, summarise.

    Compares seven mixes of levers and every single lever, each with its money per head and by need, at the same cost
    and under both definitions of a digital skill. Takes two or three minutes.
    """
    folder = target(out, "demo", force=force)
    choice = PanelChoice(source=PANEL)
    panel = choice.read(session)
    years = f"{panel.years[0]}-{panel.years[-1]}"
    session.note(f"Panel {PANEL}: {len(panel.regions)} regions, {years}, {len(panel.problems) or 'no'} problems")
    with folder:
        problem, search = _problem(panel), Search(starts, seed)
        found = _fit(session, problem, search)
        found = _judged(session, problem, found, folder.draft / FIT, profiles=False)
        found.save(folder.draft / FIT)
        folder.finished(FIT)
        session.kept.append(
            f"The calibration had finished and is kept in {folder.path / FIT}; go on with "
            f"`gapsim run {DEMONSTRATED[0]} --fit {folder.path / FIT}`"
        )
        found = _sampled(session, problem, found, folder.draft / FIT, draws=DRAWS_KEPT, seed=seed)
        found.save(folder.draft / FIT)
        others = _alternatives(session, panel, problem, search, folder.draft / FIT, {}, sample=DRAWS_KEPT)
        _draw(session, problem, found, folder.draft / FIT, lang, panel)
        job = Job(
            panel=panel,
            source=PANEL,
            scenarios=DEMONSTRATED,
            fitted=found.fitted,
            others={name: item.fitted for name, item in others.items()},
            folder=folder.draft / FIT,
            compared=_compared(panel),
            regions=region or (),
            settings={"until": until, "draws": draws, "seed": seed},
            lang=lang,
        )
        report = project_job(session, job, folder)
    for item in found.findings:
        session.warn(f"calibration: {item.message}")
    session.data = {"fit": _data(found)}
    tell(session, report, folder.path)
    _judge(found, folder.path / FIT)


def _problem(panel: "Panel", **settings: Any) -> "CalibrationProblem":
    """The shipped model and a panel, joined; settings that are None are left to their defaults."""
    from calibration.problem import CalibrationProblem
    from pysd_runner.model import load_model

    model = load_model(MODEL, regions=len(panel.regions))
    return CalibrationProblem(model, panel, **{key: value for key, value in settings.items() if value is not None})


def _fit(session: Session, problem: "CalibrationProblem", search: Search) -> "FitResult":
    if search.checkpoint is not None:
        session.kept.append(f"Finished searches are kept in {search.checkpoint}; the same command goes on from there.")
    with session.stage("Calibrating") as stage:
        return search.run(problem, stage.at)


def _alternatives(
    session: Session,
    panel: "Panel",
    problem: "CalibrationProblem",
    search: Search,
    folder: Path,
    settings: dict[str, Any],
    *,
    sample: int | None,
) -> "dict[str, FitResult]":
    """Fits under the other definitions of what was measured, each in a folder of its own."""
    found = {}
    for definitions in problem.alternatives:
        name = next(iter(definitions.values()))
        other = _problem(panel, **settings, definitions=definitions)
        session.note(f"Once more with {name}")
        made = _fit(session, other, replace(search, checkpoint=None))
        made.save(folder / name)
        if sample is not None:
            made = _sampled(session, other, made, folder / name, draws=sample, seed=search.seed)
            made.save(folder / name)
        found[name] = made
    return found


def _forecast(session: Session, panel: "Panel", found: "FitResult", folder: Path, *, seed: int) -> None:
    """Keep the forecast without policy beside the fit; a panel that cannot be forecast has none."""
    from pysd_runner.cli.baselines import DRAWS, baseline_of
    from pysd_runner.projection import last_origin

    seen = panel.subset(years=range(panel.years[0], last_origin(panel) + 1))
    until = max(UNTIL, seen.years[-1] + 1)
    baseline_of(session, seen, found.fitted, folder, until=until, draws=DRAWS, seed=seed)


def _compared(panel: "Panel") -> "Sequence[Scenario]":
    """The mixes of the demonstration and every lever alone, each with its money per head and by need."""
    from pysd_runner.model import load_model
    from pysd_runner.scenarios import load_scenario
    from pysd_runner.scenarios.crossing import crossed, single_levers

    model = load_model(MODEL, regions=len(panel.regions))
    mixes = [replace(load_scenario(name, model=model), compare_with=()) for name in CROSSED]
    budget = mixes[0].policy.budget
    return crossed([*mixes, *single_levers(float(budget) if isinstance(budget, float) else 0.0, model=model)])


def _pooled(session: Session, problem: "CalibrationProblem", found: "FitResult", folder: Path, effect: str) -> None:
    """Effects of regions, and a fit that holds them, in a folder of their own."""
    from calibration.pooling import pool
    from pysd_runner.export.frames import save_csv

    with session.stage("Pooling effects of regions") as stage:
        pooled = pool(problem, found, effect, progress=lambda done, count: stage.at("pooling", done, count))
    pooled.fitted.save(folder / "fitted.json")
    save_csv(pooled.table(), folder / "region_effects.csv")
    session.say(pooled.summary())


def _judged(
    session: Session, problem: "CalibrationProblem", found: "FitResult", folder: Path, *, profiles: bool = True
) -> "FitResult":
    """The fit with a verdict on every parameter; the tables behind the verdicts go into the folder."""
    from calibration.uncertainty import identify
    from pysd_runner.export.frames import save_csv

    if not len(problem.space):
        return found
    with session.stage("Asking what is data and what is prior") as stage:
        verdicts = identify(
            problem, found, profiles=profiles, progress=lambda done, count: stage.at("profiling", done, count)
        )
    save_csv(verdicts.table(), folder / "identifiability.csv")
    if profiles:
        save_csv(verdicts.curves(), folder / "profiles.csv")
    return verdicts.attached(found)


def _alone(path: Path) -> "Subject":
    """A model file by itself."""
    from calibration.evaluation import Subject
    from pysd_runner.model import load_model

    model = load_model(path)
    if model.spec is not None:
        raise InvalidInput(
            f"--model takes a model file by itself; {model.name} ships with gapsim and is evaluated on a panel: leave "
            "--model away"
        )
    return Subject.of_model(model)


def _calibrated(session: Session, path: Path | None, reading: PanelChoice, until: int | None, seed: int) -> "Subject":
    """A fit with its panel; made first where there is none."""
    from calibration.evaluation import Subject
    from calibration.evaluation.subject import UNTIL
    from calibration.results import FitResult

    found = None if path is None else FitResult.load(path)
    source = reading.source or (PANEL if found is None else _panel_of(found))
    codes = () if found is None else found.fitted.regions
    panel = replace(reading, source=source).read(session, regions=codes)
    if found is None:
        found = _fit(session, _problem(panel), Search(STARTS, seed))
        for item in found.findings:
            session.warn(f"calibration: {item.message}")
    return Subject.of_fit(found, panel, until=UNTIL if until is None else until)


def _panel_of(found: "FitResult") -> str:
    """Shipped name of the panel a fit was made on."""
    from pysd_runner.panel.shipped import shipped_panels

    name = found.fitted.panel
    if name not in shipped_panels():
        raise InvalidInput(
            f"the fit was made on panel {name!r}, which does not ship with gapsim: give its file with --panel, and the "
            "options it was read with"
        )
    return name


def _evaluated(session: Session, subject: "Subject", *, seed: int, quick: bool) -> "Evaluation":
    from calibration.evaluation import evaluate as all_tests

    with session.stage("Evaluating") as stage:
        return all_tests(subject, seed=seed, quick=quick, progress=stage.at)


def _report(session: Session, found: "Evaluation", folder: Path, lang: str) -> None:
    from calibration.reporting.evaluation import write_evaluation

    with session.stage("Writing the report"):
        write_evaluation(found, folder, lang=lang)


def _tell(session: Session, found: "Evaluation", folder: Path, lang: str) -> int:
    """Print the summary and what failed, and give the exit code."""
    from calibration.evaluation.judgement import judgement_rows
    from calibration.reporting.evaluation import counts, summary_line

    session.say(summary_line(found, lang=lang))
    rows = judgement_rows(found.failed, lang=lang)
    for row in rows:
        session.say(f"  {row['title']}: {row['subject']}")
    session.say(f"Report: {folder / 'evaluation.md'}")
    tests = judgement_rows(found.judgements, lang=lang)
    session.data = {"folder": folder, **counts(found), "tests": tests}
    if any(row["section"] in COMPUTED for row in rows):
        return SimulationFailed.exit_code
    return CalibrationFailed.exit_code if rows else 0


def _sampled(
    session: Session, problem: "CalibrationProblem", found: "FitResult", folder: Path, *, draws: int, seed: int
) -> "FitResult":
    """The fit with draws of its posterior; a sample that has not converged is told at once and at the end."""
    from calibration.uncertainty import sample
    from pysd_runner.export.frames import save_csv

    with session.stage("Sampling the posterior") as stage:
        made = sample(
            problem,
            found,
            draws,
            seed=seed,
            progress=lambda done, count: stage.at("steps of every walker", done, count),
        )
    save_csv(made.table(), folder / "posterior.csv")
    finding = made.convergence.finding()
    if finding is not None:
        session.warn(finding.message)
    return made.attached(found)


def _draw(
    session: Session, problem: "CalibrationProblem", found: "FitResult", folder: Path, lang: str, panel: "Panel"
) -> None:
    """Draw the fit beside its files, and write its report."""
    from calibration.reporting import draw_fit, plot_predictive, write_report
    from calibration.uncertainty import predictive_checks
    from pysd_runner.plots import save_figure

    sentences = {}
    with session.stage("Drawing the fit and writing its report"):
        figures = list(draw_fit(found, lang=lang))
        if len(problem.space):
            checks = predictive_checks(problem, found)
            figures.append(("predictive", plot_predictive(found, checks, lang=lang)))
        for name, figure in figures:
            save_figure(figure, folder / "figures", name)
            sentences[name] = figure.sentence
        write_report(found, folder, figures=sentences, panel=panel, lang=lang)


def _say(session: Session, found: "FitResult", lang: str) -> None:
    """Print the parameters with their verdicts; what to keep in mind stands in the same text."""
    from dataclasses import asdict

    from pysd_runner.paths import model_folder
    from pysd_runner.reports.certainty import certainty_lines
    from pysd_runner.spec import load_spec

    spec = load_spec(model_folder(MODEL) / "model.toml")
    for line in (found.headline, *certainty_lines(asdict(found.fitted), spec, lang=lang), *found.remarks):
        session.say(line)
    session.warnings += [str(item) for item in found.findings if str(item) not in session.warnings]


def _data(found: "FitResult") -> dict[str, Any]:
    """The fit for programs."""
    return {
        "status": found.fitted.status,
        "message": found.fitted.message,
        "panel": found.fitted.panel,
        "first_year": found.fitted.first_year,
        "last_year": found.fitted.last_year,
        "parameters": found.table().to_dict("records"),
        "diagnostics_failed": [str(item) for item in found.check()],
        "optima": [asdict(item) for item in found.optima],
        "seconds": found.seconds,
    }


def _judge(found: "FitResult", folder: Path) -> None:
    """Raise when a diagnostic failed."""
    failed = found.check()
    if failed:
        lines = "\n  ".join(item.message for item in failed)
        raise CalibrationFailed(
            f"the diagnostics of the calibration failed; look at the result in {folder} before you use it:\n  {lines}"
        )
