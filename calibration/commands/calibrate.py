"""The commands that fit a model: ``gapsim calibrate``, and ``gapsim demo``, which also projects."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice, choose, names_of
from pysd_runner.cli.options import (
    SHIPPED_PANEL,
    Delta,
    Draws,
    Force,
    Free,
    ModelPath,
    Parts,
    Reading,
    RunOptions,
    Seed,
    ShownRegions,
    StoreFolder,
    Until,
    Window,
    Workers,
    check_times,
    leaving_out,
)
from pysd_runner.cli.projecting import Job, project_job, target, tell, tell_folder
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.text import variable_names

if TYPE_CHECKING:  # slow imports (numpy)
    from collections.abc import Sequence

    from calibration.fitting.problem import Problem
    from calibration.fitting.results import Fit
    from pysd_runner.data import Data
    from pysd_runner.model import Model
    from pysd_runner.scenarios import Scenario


@dataclass(frozen=True, kw_only=True)
class FitOptions(Window):
    """Options for the fit and its diagnostics."""

    sample: Annotated[
        int | None,
        typer.Option(
            "--sample", min=1, metavar="N", help="Sample the posterior and keep N draws, which projections then use."
        ),
    ] = None
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence",
            help="Search with the measured effects that the model declares; otherwise runs weigh the fit by them.",
        ),
    ] = False
    without: Annotated[
        list[Parts] | None,
        leaving_out(
            "profiles",
            "forecast",
            help="What to leave out, with commas between: profiles, for which all others are estimated again along "
            "each parameter (takes as long as the fit), or forecast, kept beside the fit for runs.",
        ),
    ] = None
    free: Free = None

    @property
    def left_out(self) -> frozenset[str]:
        """Names of the stages that are skipped."""
        return frozenset().union(*self.without or ())

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of `calibration.Problem`."""
        times = {"start": self.start, "until": self.until}
        return {"free": names_of(self.free), **times, "evidence": self.evidence}


@command(
    "calibrate",
    "gapsim calibrate china --out fit",
    "gapsim calibrate china --starts 10 --optimiser cma --workers 2 --store china-kept",
    "gapsim calibrate china --sample 2500 --out fit",
    "gapsim calibrate mine.csv --out fit",
    'gapsim calibrate obs.csv --model mine.mdl --free "contact rate,duration" --out fit',
    "gapsim calibrate --model mine.mdl --out fit",
)
def calibrate(
    session: Session,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="File of data, or the name of a shipped panel; left out if the model declares an objective.",
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write [default: a new one under results/].")
    ] = None,
    search: steps.Search,
    asked: FitOptions,
    reading: Reading = None,
    model: ModelPath = None,
    force: Force = False,
) -> None:
    """Fit the model to a panel, or a model of your own to any table, and write the parameters with their uncertainty.

    With --model the data may be a table of anything over time: columns called like variables of the model are compared
    with them, `gapsim data check --map column=variable` names others, and `mine.toml` beside `mine.mdl` is read if it
    is there. Says what can be estimated from what before it starts. Where a measurement has several definitions (what
    counts as a digital skill), a fit under each stands in a folder of its own. Without data, the objective that
    `mine.toml` declares is maximised. Exit code 3 when the diagnostics fail; the fit is written anyway.
    """
    from calibration.fitting.problem import Problem
    from calibration.uncertainty.sampling import check_draws

    source = data or model
    if source is None:
        raise InvalidInput(
            "give the data that the model is fitted to, or --model with a model that declares an objective of its own"
        )
    choice = choose(model, data, reading, asked)
    search.check()
    folder = target(out, f"fit-{Path(source).stem}", force=force, inputs=choice.files)
    read = None if data is None else choice.read(session, start=asked.start, until=asked.until)
    bound = partial(Problem, choice.load_model(read), read, seed=search.seed, **asked.settings)
    problem = bound()
    names = variable_names(problem.spec.inputs.values(), session.lang)
    session.note(session.said(str(problem.describe()), names))
    search.tell(session)
    if asked.sample is not None:
        check_draws(asked.sample, len(problem.space))
    found = steps.fitted(session, problem, search)
    with folder:
        found.save(folder.draft)
        found = steps.judged(session, problem, found, folder.draft, search, profiles="profiles" not in asked.left_out)
        found = steps.drawn(session, problem, found, folder.draft, search, draws=asked.sample)
        steps.alternatives(session, problem, search, folder.draft, bound, sample=asked.sample)
        if read is not None and "forecast" not in asked.left_out:
            _FOLLOWED[problem.design.start](session, read, problem, found, folder.draft, seed=search.seed)
        for path in found.save(folder.draft).iterdir():
            folder.finished(path.name)
        session.kept.append(
            Message("The fit is kept in {kept}; only its figures and its report are missing.", kept=folder.kept)
        )
        steps.draw(session, problem, found, folder.draft)
    session.kept.clear()
    _say(session, problem, found)
    session.data = {"folder": folder.path, **steps.data_of(found)}
    tell_folder(session, folder.path, "report", title=Message("Fit: {folder}", folder=folder.path))
    session.say(
        Message(
            "  `gapsim run {scenario}{data}{options} --fit {folder}` projects with it.",
            scenario=choice.design.search or "scenario.yaml",
            data="" if data is None else f" --data {data}",
            options="".join(f" {shlex.quote(word)}" for word in choice.words),
            folder=folder.path,
        )
    )
    steps.refuse_failed(found, folder.path)


def _forecast(session: Session, panel: "Data", problem: "Problem", found: "Fit", folder: Path, *, seed: int) -> None:
    """Save the forecast without policy in the folder of the fit, if the panel can be forecast."""
    from pysd_runner.evidence.following import DRAWS, forecast_of
    from pysd_runner.spec.baseline import usual_end
    from pysd_runner.study.inputs import last_origin

    seen = panel.subset(times=range(panel.years[0], last_origin(panel) + 1))
    until = usual_end(seen.years[-1])
    forecast_of(session, seen, found.fitted, folder, problem.model, {"until": until, "draws": DRAWS, "seed": seed})


def _no_forecast(*_: Any, **__: Any) -> None:
    """Save no forecast: runs that start from the initial values in the model file do not follow one."""


_FOLLOWED: Mapping[str, Callable[..., None]] = {"state": _forecast, "file": _no_forecast}


def _certain_lines(session: Session, problem: "Problem", found: "Fit") -> list[str]:
    from pysd_runner.reports.evidence import certainty_lines

    told = certainty_lines(asdict(found.fitted), problem.spec, lang=session.lang)
    return [found.headline, *told, *found.remarks]


def _plain_lines(_session: Session, _problem: "Problem", found: "Fit") -> list[str]:
    return list(found.lines)


_LINES = {"relative_output": _certain_lines, "columns": _plain_lines}


def _say(session: Session, problem: "Problem", found: "Fit") -> None:
    """Print the parameters with their verdicts, and remarks on the fit."""
    names = variable_names(problem.spec.parameters.values(), session.lang)
    for line in _LINES[problem.design.target](session, problem, found):
        session.say(session.said(line, names))
    findings = [session.said(str(item), names) for item in found.findings]
    session.warnings += [text for text in findings if text not in session.warnings]


# Policies that the demonstration projects.
DEMONSTRATED = ("zoned_need", "skills_programme")
# Mixes that the demonstration compares, each allocated per head and by need, besides single levers.
CROSSED = (
    "zoned",
    "uniform_mean_mix",
    "frontier_for_all",
    "transition_for_all",
    "lagging_for_all",
    "uniform_sevenths",
    "uniform_per_head",
)
DRAWS_KEPT = 2500
# Figures of the fit; `gapsim calibrate` draws paths and residuals of every region as well.
OF_FIT = ("parameters", "series")
# Number of stages: fit, posterior sample, weights (again for each alternative definition), verdicts and report of the
# fit, forecast, projection, comparison and drawing.
_STAGES_OF_FIT = 3
_STAGES = _STAGES_OF_FIT + 6


@command("demo", "gapsim demo", "gapsim demo --draws 20 --out demo")
def demo(
    session: Session,
    *,
    draws: Draws = None,
    until: Until = None,
    starts: steps.Starts = steps.STARTS,
    seed: Seed = 0,
    region: ShownRegions = None,
    delta: Delta = None,
    workers: Workers = None,
    store: StoreFolder = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write [default: results/demo].")] = None,
    force: Force = False,
) -> None:
    """Go the whole way on the shipped panel: check, calibrate, forecast, project to 2040, compare, draw, summarise.

    Compares seven mixes of levers and every single lever, each with its money per head and by need, at the same cost
    and under both definitions of a digital skill. Takes two or three minutes.
    """
    from calibration.fitting.problem import Problem
    from pysd_runner.evidence.following import settings_of

    folder = target(out, "demo", force=force)
    choice = DataChoice(source=SHIPPED_PANEL)
    panel = choice.read(session)
    model = choice.load_model(panel)
    years = f"{panel.years[0]}-{panel.years[-1]}"
    asked = RunOptions(until=until, draws=draws, seed=seed)
    check_times(choice.design, asked)
    settings_of(model, panel, None, asked.settings, scenarios=len(DEMONSTRATED) + 1)
    session.note(
        Message(
            "Panel {panel}: {count} regions, {years}, {problems} problems",
            panel=SHIPPED_PANEL,
            count=len(panel.regions),
            years=years,
            problems=len(panel.problems) or Message("no"),
        )
    )
    with folder:
        bound = partial(Problem, model, panel)
        problem, search = bound(), steps.Search(starts=starts, seed=seed, workers=workers, store=store)
        at = folder.draft / steps.FIT
        search.check()
        session.stages = _STAGES + len(problem.alternatives) * _STAGES_OF_FIT
        search.tell(session)
        found = steps.fitted(session, problem, search)
        found = steps.judged(session, problem, found, at, search, profiles=False)
        found.save(at)
        folder.finished(steps.FIT)
        session.kept.append(
            Message(
                "The calibration had finished and is kept in {folder}; go on with `gapsim run {name} --fit {folder}`",
                folder=folder.kept / steps.FIT,
                name=DEMONSTRATED[0],
            )
        )
        found = steps.sampled(session, problem, found, at, search, draws=DRAWS_KEPT)
        found.save(at)
        others = steps.alternatives(session, problem, search, at, bound, sample=DRAWS_KEPT)
        steps.draw(session, problem, found, at, only=OF_FIT)
        job = Job(
            model=model,
            data=panel,
            source=SHIPPED_PANEL,
            scenarios=DEMONSTRATED,
            asked=replace(asked, fit=at),
            fitted=found.fitted,
            others={name: item.fitted for name, item in others.items()},
            compared=compared(model),
            regions=region or (),
            delta=delta,
        )
        report = project_job(session, job, folder)
    names = variable_names(problem.spec.parameters.values(), session.lang)
    for item in found.findings:
        session.warn(session.said(Message("calibration: {said}", said=item.message), names))
    session.data = {"fit": steps.data_of(found)}
    tell(session, report, folder.path)
    steps.refuse_failed(found, folder.path / steps.FIT)


def compared(model: "Model") -> "Sequence[Scenario]":
    """The mixes of the demonstration and every single lever, each with money per head and by need."""
    from pysd_runner.scenarios import load_scenario
    from pysd_runner.scenarios.crossing import crossed, single_levers

    mixes = [replace(load_scenario(name, model=model), compare_with=()) for name in CROSSED]
    budget = mixes[0].policy.budget
    return crossed([*mixes, *single_levers(float(budget) if isinstance(budget, float) else 0.0, model=model)])
