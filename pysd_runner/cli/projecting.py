"""Project scenarios from data and a fit, and write a folder of results; shared by several commands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.options import RunOptions
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import definitions_of, reweighted, started
from pysd_runner.core.errors import Message

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.checks.behaviour import ModelChecks
    from pysd_runner.data import Data
    from pysd_runner.model import Model
    from pysd_runner.policy.ranking import Answer
    from pysd_runner.reports.folders import WholeFolder
    from pysd_runner.reports.replay import Inputs
    from pysd_runner.scenarios import Scenario
    from pysd_runner.spec import FittedParameters
    from pysd_runner.study.future import Future

DEFAULT_PARENT = Path("results")
# Minimum number of draws of a search.
LEAST_SEARCHED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Inputs and settings of a projection."""

    model: "Model"
    data: "Data | None"
    source: str = ""  # shipped name or file the data were read from
    scenarios: Sequence[str]  # shipped names and files
    asked: RunOptions
    fitted: "FittedParameters | None" = None  # parameters of a calibration, or None
    others: Mapping[str, "FittedParameters"] = field(default_factory=dict)
    compared: Sequence["Scenario"] = ()
    regions: Sequence[str] = ()  # regions shown in figures; empty for an automatic selection
    events: Sequence[str] = ()  # events whose probability is reported for each scenario
    delta: float | None = None  # difference of mean effects within which policies are as good; None for the default
    check: bool = False  # whether the behaviour rules and units of the model are checked


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Summary of results, printed once their folder is complete."""

    lines: Sequence[str]
    data: Mapping[str, Any]
    page: str = "summary"  # name of the page to start with
    again: str = ""  # file in the folder from which the run can be repeated
    broken: Sequence[str] = ()  # rules of the model that some draw breaks


def target(out: Path | None, name: str, *, force: bool, inputs: Iterable[str | Path] = ()) -> "WholeFolder":
    """Folder that a command will write, checked before any work is done."""
    from pysd_runner.reports.folders import WholeFolder, check_inputs, fresh_folder

    if out is not None:
        check_inputs(out, inputs)
    return WholeFolder(fresh_folder(DEFAULT_PARENT / name) if out is None else out, replace=force)


def check_names(scenarios: Iterable[str]) -> None:
    """Refuse a name of the shipped model that is no scenario, before anything that takes long is read."""
    from pysd_runner.scenarios import load_scenario

    for name in scenarios:
        if not (Path(name).exists() or "/" in name or "\\" in name):
            load_scenario(name)


def files_of(path: Path | None) -> list[Path]:
    """A file, or a folder of results and its files, which a command must not replace."""
    return [] if path is None else [path, *path.glob("*")] if path.is_dir() else [path]


def project_job(session: Session, job: Job, folder: "WholeFolder") -> Report:
    """Project and write the results."""
    projection, inputs, checks = project_asked(session, job)
    found = answered(session, projection, inputs)
    report = write(session, projection, inputs, folder, answer=found)
    if not job.check:
        return report
    for text in checks.broken:
        session.warn(text)
    data = {**report.data, "checks": {"verdict": checks.verdict, "broken": checks.broken}}
    return replace(report, lines=[*report.lines, "", checks.verdict], data=data, broken=checks.broken)


def project_asked(session: Session, job: Job) -> "tuple[Future, Inputs | None, ModelChecks]":
    """Project, and return the projection, its inputs (None without regions) and the checks of the model."""
    from pysd_runner.checks.behaviour import ModelChecks
    from pysd_runner.core.calendar import said_date
    from pysd_runner.reports.replay import Inputs
    from pysd_runner.study.draws import check_fit
    from pysd_runner.study.inputs import inputs_of, last_origin
    from pysd_runner.study.projection import projected

    asked, count = _cast(job)
    for other in job.others.values():
        assert job.data is not None  # noqa: S101 - fits under other definitions are of panels
        check_fit(other, job.model, last_origin(job.data))
    start = started(
        session, job.model, job.data, job.fitted, job.asked, scenarios=count, regions=job.regions, events=job.events
    )
    checks = ModelChecks(job.model)
    inspection: dict[str, Any] = {}
    if job.check:
        checks.inspect_units()
        inspection = {"inspect": checks.inspect, "also": checks.outcomes}
    draws = start.settings["draws"]
    title = Message(
        "Projecting {scenarios}{end}, {draws}",
        scenarios=counted_scenarios(count),
        end=Message(" to {year}", year=said_date(start.settings["until"])) if "until" in start.settings else "",
        draws=counted_draws(draws),
    )
    with session.stage(title, total=draws) as stage:
        common = inputs_of(job.model, start.data, start.fitted, baseline=start.baseline, **start.settings)
        projection = projected(common, start.data, asked, progress=stage.advance, is_stored=True, **inspection)
        projection = replace(projection, delta=job.delta)
    inputs = Inputs(
        model=job.model,
        panel=start.data,
        source=job.source,
        fitted=start.fitted,
        before=None if start.fitted is job.fitted else job.fitted,
        others=_weighed(session, job),
        baseline=start.baseline,
        compared=tuple(job.compared),
        regions=tuple(job.regions),
        events=tuple(job.events),
    )
    return projection, inputs, checks


def _weighed(session: Session, job: Job) -> "dict[str, FittedParameters]":
    """The fits under alternative definitions, reweighted by measured effects."""
    return {name: reweighted(session, job.model, job.data, item, job.asked) for name, item in job.others.items()}


def _cast(job: Job) -> "tuple[list[Scenario], int]":
    """The requested scenarios, and the number of all runs including those for comparison."""
    from pysd_runner.scenarios import load_scenario
    from pysd_runner.study.projection import scenarios_with_baseline

    regions = () if job.data is None else job.data.regions
    asked = [load_scenario(name, model=job.model, regions=regions) for name in job.scenarios]
    return asked, len(scenarios_with_baseline(asked, job.model))


def answered(session: Session, projection: "Future", inputs: "Inputs | None") -> "Answer | None":
    """Rank the policies, and the variants that decompose the first one's effect, under each definition."""
    from pysd_runner.policy.ranking import answer
    from pysd_runner.policy.spaces import within_constraints
    from pysd_runner.reports.headline import below_mean
    from pysd_runner.scenarios import Scenario, with_comparisons
    from pysd_runner.scenarios.crossing import distinct, two_by_two
    from pysd_runner.study.projection import model_again

    if inputs is None or inputs.panel is None or not projection.policies or not below_mean(projection).any():
        return None
    model = model_again(projection.provenance, inputs.panel)
    cast = [Scenario.from_dict(stored) for stored in projection.provenance["scenarios"]]
    settings = projection.provenance["settings"]
    first = next(item for item in cast if item.name == projection.policies[0])
    whole = distinct(with_comparisons([*cast, *two_by_two(first, model=model), *inputs.compared], model=model))
    name = "" if inputs.fitted is None or not inputs.others else definitions_of(inputs.fitted)[0]
    shared: dict[str, Any] = {key: int(settings[key]) for key in ("draws", "seed")}
    shared["yuan_per_unit"] = float(settings["yuan_per_unit"])
    until = int(settings["until"])

    panel = inputs.panel

    def seek() -> "Scenario":
        return within_constraints(model, panel, inputs.fitted, first, baseline=inputs.baseline, until=until, **shared)

    title = Message("Comparing {scenarios}", scenarios=counted_scenarios(len(whole)))
    with session.stage(title) as stage:
        return answer(
            model,
            inputs.panel,
            whole,
            {name: inputs.fitted, **inputs.others},
            inputs.baseline,
            before=inputs.before,
            bounds=(projection.origin, until),
            delta=projection.delta,
            # A search is made only if many policies are compared, and there are enough draws.
            seek=seek if inputs.compared and shared["draws"] >= LEAST_SEARCHED else None,
            progress=stage.at,
            **shared,
        )


def write(
    session: Session,
    projection: "Future",
    inputs: "Inputs | None",
    folder: "WholeFolder",
    *,
    answer: "Answer | None" = None,
) -> Report:
    """Write the results of a projection: tables, figures, and a summary in both languages."""
    from pysd_runner.reports.evidence import noticed
    from pysd_runner.reports.headline import three_sentences
    from pysd_runner.reports.results import (
        event_lines,
        figure_count,
        level_table,
        overview,
        write_results,
    )

    assert inputs is not None  # noqa: S101

    def finished(name: str) -> None:
        folder.finished(name)
        session.kept[:] = [
            Message(
                "The projection is kept in {path}; `gapsim plot {kept}` draws its figures.",
                path=folder.kept,
                kept=folder.kept,
            )
        ]

    with session.stage(Message("Writing figures and tables"), total=figure_count(projection)) as stage:
        results = write_results(
            projection,
            folder.draft,
            inputs=inputs,
            answer=answer,
            lang=session.lang,
            progress=stage.advance,
            finished=finished,
        )
    session.kept.clear()
    for text in noticed(projection, projection.warnings, session.lang):
        session.warn(text)
    data = {
        "answer": three_sentences(projection, answer, lang=session.lang),
        "origin": projection.origin,
        "settings": projection.provenance["settings"],
        "baselines": dict(projection.baselines),
        "policies": [] if answer is None else answer.main.table().reset_index().to_dict("records"),
        "best": None if answer is None else answer.main.chosen.members,
        "levels": level_table(projection).to_dict("records"),
        "end": projection.table().to_dict("records"),
        "sentences": projection.sentences(session.lang),
        "imputed": list(projection.imputed),
        "figures": list(results.figures),
    }
    lines = overview(projection, answer, lang=session.lang)
    if results.events is not None:
        data["events"] = results.events.to_dict("index")
        lines += event_lines(projection, results.events, session.lang)
    return Report(lines=lines, data=data, again="run.json")


def counted_draws(count: int) -> Message:
    """Number of draws as text, such as ``5 draws``."""
    return Message("{count} {draws}", count=count, draws="draw" if count == 1 else "draws")


def counted_scenarios(count: int) -> Message:
    """Number of scenarios as text, such as ``3 scenarios``."""
    return Message("{count} {scenarios}", count=count, scenarios="scenario" if count == 1 else "scenarios")


def tell(session: Session, report: Report, folder: Path) -> None:
    """Print a report and say where the results are."""
    from pysd_runner.reports.replay import MODEL

    session.data = {"folder": folder, **(session.data or {}), **report.data}
    for line in report.lines:
        session.say(line)
    tell_folder(session, folder, report.page)
    if report.again:
        again = folder / report.again
        session.say(
            Message("  The model and the data lie there too: `gapsim run {folder}` makes them again.", folder=again)
            if (folder / MODEL).is_dir()
            else Message("  `gapsim run {folder}` makes them again.", folder=again)
        )


def tell_folder(session: Session, folder: Path, page: str = "", *, title: str = "") -> None:
    """Say where results are, and the page to start with."""
    session.say()
    session.say(title or Message("Results: {folder}", folder=folder))
    if page:
        session.say(
            Message("  Start with {page}, or {text} beside it.", page=folder / f"{page}.html", text=f"{page}.md")
        )
