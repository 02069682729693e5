"""From a panel, scenarios and a fit to a folder of results; shared by the commands that project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message, of_system

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.checks.running import ModelChecks
    from pysd_runner.model import Model
    from pysd_runner.panel import Data
    from pysd_runner.policy.ranking import Answer
    from pysd_runner.reports.folders import WholeFolder
    from pysd_runner.reports.replay import Inputs
    from pysd_runner.scenarios import Scenario
    from pysd_runner.spec import Baseline, FittedParameters
    from pysd_runner.study.future import Future

MODEL = "regional_digital"
DRAWS, UNTIL = 2500, 2040
DEFAULT_PARENT = Path("results")
FITTED_FILE, FIT = "fitted.json", "fit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be projected."""

    panel: "Data"
    source: str  # shipped name or file it was read from
    scenarios: Sequence[str]  # shipped names and files
    fitted: "FittedParameters | None" = None  # what a calibration found, or None
    others: Mapping[str, "FittedParameters"] = field(default_factory=dict)
    folder: Path | None = None  # folder of the fit, which keeps the forecast; None for none
    model: str = MODEL  # shipped name, or a path to a model that declares bindings
    is_open: bool = False  # whether the run follows the model alone, without a forecast
    compared: Sequence["Scenario"] = ()
    regions: Sequence[str] = ()  # regions shown in figures; empty for some spread over all
    events: Sequence[str] = ()  # events whose probability under each scenario is wanted
    settings: Mapping[str, Any]  # ``until``, ``draws``, ``seed``, ``yuan_per_unit``; None stands for the default
    lang: str = "en"  # language of figures and tables
    check: bool = False  # whether the behaviour rules and units of the model are checked


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What is said about results once their folder stands."""

    lines: Sequence[str]
    data: Mapping[str, Any]
    broken: Sequence[str] = ()  # rules of the model that some draw breaks


def target(out: Path | None, name: str, *, force: bool, inputs: Iterable[str | Path] = ()) -> "WholeFolder":
    """Folder a command will write, checked before any work is done."""
    from pysd_runner.reports.folders import WholeFolder, check_inputs, fresh_folder

    if out is not None:
        check_inputs(out, inputs)
    return WholeFolder(fresh_folder(DEFAULT_PARENT / name) if out is None else out, replace=force)


def files_of(path: Path | None) -> list[Path]:
    """What is read of a file or of a folder of results, which no command replaces."""
    return [] if path is None else [path, *path.glob("*")] if path.is_dir() else [path]


def read_fit(path: Path) -> "FittedParameters":
    """Read fitted parameters from their file or from the folder that holds it."""
    from pysd_runner.spec import load_fitted

    file = path / FITTED_FILE if path.is_dir() else path
    # Results of the demonstration have the fit in a folder of its own.
    inside = path / FIT / FITTED_FILE
    return load_fitted(inside if inside.is_file() and not file.is_file() else file)


def read_others(path: Path | None) -> "dict[str, FittedParameters]":
    """Read the fits under other definitions that stand in the folder of a fit."""
    if path is None or not path.is_dir():
        return {}
    found = {file.parent.name: read_fit(file) for file in sorted(path.glob(f"*/{FITTED_FILE}"))}
    return {name: item for name, item in found.items() if name in definitions_of(item)}


def definitions_of(fitted: "FittedParameters") -> tuple[str, ...]:
    """National series that a fit read where a measurement has several."""
    return tuple(map(str, dict(fitted.provenance.get("definitions") or {}).values()))


def usual_end(last: int) -> int:
    """Last year where none is asked for."""
    from pysd_runner.spec.baseline import FARTHEST

    return max(last + 1, min(UNTIL, last + FARTHEST))


def settings_of(
    model: "Model",
    panel: "Data",
    fitted: "FittedParameters | None",
    given: Mapping[str, Any],
    *,
    draws: int = DRAWS,
    scenarios: int = 1,
) -> dict[str, Any]:
    """What was asked for, else what is usual; refused before any work where it cannot be done."""
    from pysd_runner.reports.evidence import money_of
    from pysd_runner.study.draws import check_fit, check_rate
    from pysd_runner.study.inputs import check_size, last_origin

    last = last_origin(panel)
    settings: dict[str, Any] = {"until": usual_end(last), "draws": draws, "seed": 0}
    settings |= {"yuan_per_unit": money_of(fitted)}
    settings |= {key: value for key, value in given.items() if value is not None}
    if fitted is not None:
        check_fit(fitted, model, last)
    check_rate(fitted, settings["yuan_per_unit"])
    check_size(model, (last, settings["until"]), settings["draws"], scenarios)
    return settings


def project_job(session: Session, job: Job, folder: "WholeFolder") -> Report:
    """Project and write the results."""
    projection, inputs, checks = projected(session, job)
    found = answered(session, projection, inputs)
    report = write(session, projection, inputs, folder, job.lang, answer=found)
    if not job.check:
        return report
    for text in checks.broken:
        session.warn(text)
    data = {**report.data, "checks": {"verdict": checks.verdict, "broken": checks.broken}}
    return replace(report, lines=[*report.lines, "", checks.verdict], data=data, broken=checks.broken)


def projected(session: Session, job: Job) -> "tuple[Future, Inputs, ModelChecks]":
    """Project, with what the projection was made from and what was checked of the model."""
    from pysd_runner.checks.running import ModelChecks
    from pysd_runner.model import load_model
    from pysd_runner.reports.replay import Inputs
    from pysd_runner.scenarios import load_scenario, with_comparisons
    from pysd_runner.study.draws import check_fit
    from pysd_runner.study.inputs import last_origin
    from pysd_runner.study.projection import project

    model = load_model(job.model, regions=len(job.panel.regions))
    asked = [load_scenario(name, model=model, regions=job.panel.regions) for name in job.scenarios]
    cast = with_comparisons(asked, model=model)
    settings = settings_of(model, job.panel, job.fitted, job.settings, scenarios=len(cast))
    for other in job.others.values():
        check_fit(other, model, last_origin(job.panel))
    draws, until, seed = int(settings["draws"]), int(settings["until"]), int(settings["seed"])
    # Forecasts start where the projection does.
    seen = job.panel.subset(times=range(job.panel.years[0], last_origin(job.panel) + 1))
    _check_events(seen, until, job.events)
    _check_regions(seen, job.regions)
    baseline = None
    if not job.is_open and until > seen.years[-1]:
        baseline = baseline_of(session, seen, job.fitted, job.folder, model=model, until=until, draws=draws, seed=seed)
    title = Message(
        "Projecting {scenarios} to {year}, {draws}",
        scenarios=Message(
            "{count} {scenarios}", count=len(cast), scenarios="scenario" if len(cast) == 1 else "scenarios"
        ),
        year=until,
        draws=Message("{count} {draws}", count=draws, draws="draw" if draws == 1 else "draws"),
    )
    checks = ModelChecks(model)
    inspection: dict[str, Any] = {}
    if job.check:
        checks.inspect_units()
        inspection = {"inspect": checks.inspect, "also": checks.outcomes}
    with session.stage(title, total=draws) as stage:
        projection = project(
            model, seen, asked, job.fitted, baseline=baseline, progress=stage.advance, **settings, **inspection
        )
    inputs = Inputs(
        panel=seen,
        source=job.source,
        fitted=job.fitted,
        others=job.others,
        baseline=baseline,
        compared=tuple(job.compared),
        regions=tuple(job.regions),
        events=tuple(job.events),
    )
    return projection, inputs, checks


def _check_regions(panel: "Data", asked: Sequence[str]) -> None:
    """Find the regions that are to be shown before the work is done."""
    from pysd_runner.core.errors import UnknownName, suggest

    known = [name for place in panel.regions for name in (place.code, place.name_en, place.name_zh) if name]
    for name in asked:
        if name not in known:
            named = ", ".join(place.name_en or place.code for place in panel.regions[:6])
            raise UnknownName(
                "the panel has no region {region!r}: it has {regions}, ...{suggestion}",
                region=name,
                regions=named,
                suggestion=suggest(name, known),
            )


def _check_events(panel: "Data", until: int, events: Sequence[str]) -> None:
    """Read events before the work is done, not after it."""
    import numpy as np

    from pysd_runner.indicators.events import chances, event_draws

    places = panel.regions
    names = {place.code: (place.name_en, place.name_zh) for place in places}
    heads = np.log(panel.array("output_per_head")[:, -1])
    years = tuple(range(panel.years[-1] + 1, until + 1))
    draws = np.zeros((1, len(places), len(years)))
    chances(events, event_draws(names, [place.group for place in places], heads - np.nanmean(heads), draws, years))


def answered(session: Session, projection: "Future", inputs: "Inputs") -> "Answer | None":
    """Compare the policies, with those that split the effect of the first, under each definition."""
    from pysd_runner.model import load_model
    from pysd_runner.policy.ranking import answer, start_of
    from pysd_runner.scenarios import Scenario, with_comparisons
    from pysd_runner.scenarios.crossing import distinct, two_by_two
    from pysd_runner.study.projection import recorded_model

    if not projection.policies or not start_of(inputs.panel).behind.any():
        return None
    model = load_model(recorded_model(projection.provenance), regions=len(inputs.panel.regions))
    cast = [Scenario.from_dict(stored) for stored in projection.provenance["scenarios"]]
    settings = projection.provenance["settings"]
    first = next(item for item in cast if item.name == projection.policies[0])
    whole = distinct(with_comparisons([*cast, *two_by_two(first, model=model), *inputs.compared], model=model))
    name = "" if inputs.fitted is None or not inputs.others else definitions_of(inputs.fitted)[0]
    count = len(whole)
    title = Message(
        "Comparing {scenarios}",
        scenarios=Message("{count} {scenarios}", count=count, scenarios="scenario" if count == 1 else "scenarios"),
    )
    with session.stage(title) as stage:
        return answer(
            model,
            inputs.panel,
            whole,
            {name: inputs.fitted, **inputs.others},
            inputs.baseline,
            bounds=(projection.origin, int(settings["until"])),
            draws=int(settings["draws"]),
            seed=int(settings["seed"]),
            yuan_per_unit=float(settings["yuan_per_unit"]),
            progress=stage.at,
        )


def write(
    session: Session,
    projection: "Future",
    inputs: "Inputs",
    folder: "WholeFolder",
    lang: str,
    *,
    answer: "Answer | None" = None,
) -> Report:
    """Write the results of a projection."""
    from pysd_runner.reports.evidence import noticed
    from pysd_runner.reports.results import event_lines, figure_count, level_table, overview, write_results

    def finished(name: str) -> None:
        folder.finished(name)
        session.kept[:] = [
            Message(
                "The projection is kept in {path}; `gapsim plot {kept}` draws its figures.",
                path=folder.kept,
                kept=folder.kept,
            )
        ]

    with session.stage(Message("Drawing and writing"), total=figure_count(projection)) as stage:
        results = write_results(
            projection,
            folder.draft,
            inputs=inputs,
            answer=answer,
            lang=lang,
            progress=stage.advance,
            finished=finished,
        )
    session.kept.clear()
    for text in noticed(projection, projection.warnings, lang):
        session.warn(text)
    data = {
        "origin": projection.origin,
        "settings": projection.provenance["settings"],
        "baselines": dict(projection.baselines),
        "policies": [] if answer is None else answer.main.table().reset_index().to_dict("records"),
        "robust": None if answer is None else answer.robust or None,
        "levels": level_table(projection).to_dict("records"),
        "imputed": list(projection.imputed),
        "figures": list(results.figures),
    }
    lines = overview(projection, answer, lang=lang)
    if results.events is not None:
        data["events"] = results.events.to_dict("index")
        lines += event_lines(projection, results.events, lang)
    return Report(lines=lines, data=data)


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is one.

    >>> counted(1, "draw"), counted(20, "draw")
    ('1 draw', '20 draws')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def tell(session: Session, report: Report, folder: Path) -> None:
    """Print a report and say where the results are."""
    session.data = {"folder": folder, **(session.data or {}), **report.data}
    for line in report.lines:
        session.say(line)
    session.say()
    session.say(Message("Results: {folder}", folder=folder))
    session.say(Message("  Start with {page}, or summary.md beside it.", page=folder / "summary.html"))
    session.say(Message("  `gapsim run {folder}` makes them again.", folder=folder / "run.json"))


GROUP = "gapsim.baselines"
DRAWS = 2500


def baseline_of(
    session: Session,
    panel: "Data",
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
    folder: Path, panel: "Data", fitted: "FittedParameters | None", *, until: int, draws: int, seed: int
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
