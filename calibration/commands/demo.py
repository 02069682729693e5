"""The command that runs all steps of a study on the shipped panel."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice
from pysd_runner.cli.options import (
    SHIPPED_PANEL,
    Draws,
    ExecutorName,
    Force,
    Lang,
    Language,
    RunOptions,
    Seed,
    ShownRegions,
    StoreFolder,
    Until,
    check_times,
)
from pysd_runner.cli.projecting import Job, project_job, target, tell
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import settings_of
from pysd_runner.core.errors import Message
from pysd_runner.text import variable_names

if TYPE_CHECKING:  # slow imports (numpy)
    from collections.abc import Sequence

    from pysd_runner.model import Model
    from pysd_runner.scenarios import Scenario

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
# Number of stages: fit and posterior sample (again for each alternative definition), verdicts and report of the fit,
# forecast, projection, comparison and drawing.
_STAGES_OF_FIT = 2
_STAGES = _STAGES_OF_FIT + 6


@command(
    "demo",
    "gapsim demo",
    "gapsim demo --draws 20 --out demo",
)
def demo(
    session: Session,
    *,
    draws: Draws = None,
    until: Until = None,
    starts: steps.Starts = steps.STARTS,
    seed: Seed = 0,
    region: ShownRegions = None,
    executor: ExecutorName = None,
    store: StoreFolder = None,
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
    from calibration.fitting.problem import CalibrationProblem

    folder = target(out, "demo", force=force)
    choice = DataChoice(source=SHIPPED_PANEL)
    panel = choice.read(session)
    model = choice.load_model(panel)
    years = f"{panel.years[0]}-{panel.years[-1]}"
    asked = RunOptions(until=until, draws=draws, seed=seed)
    check_times(True, asked)
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
        tied = partial(CalibrationProblem, model, panel)
        problem, search = tied(), steps.Search(starts=starts, seed=seed, executor=executor, store=store)
        at = folder.draft / steps.FIT
        search.check()
        session.stages = _STAGES + len(problem.alternatives) * _STAGES_OF_FIT
        search.tell(session)
        found = steps.fitted(session, problem, search)
        found = steps.judged(session, problem, found, at, search, profiles=False)
        found.save(at)
        folder.finished(steps.FIT)
        session.kept.append(
            f"The calibration had finished and is kept in {folder.kept / steps.FIT}; go on with "
            f"`gapsim run {DEMONSTRATED[0]} --fit {folder.kept / steps.FIT}`"
        )
        found = steps.sampled(session, problem, found, at, search, draws=DRAWS_KEPT)
        found.save(at)
        others = steps.alternatives(session, problem, search, at, tied, sample=DRAWS_KEPT)
        steps.draw(session, problem, found, at, lang, only=OF_FIT)
        job = Job(
            model=model,
            data=panel,
            source=SHIPPED_PANEL,
            scenarios=DEMONSTRATED,
            asked=replace(asked, fit=at),
            fitted=found.fitted,
            others={name: item.fitted for name, item in others.items()},
            compared=_compared(model),
            regions=region or (),
            lang=lang,
        )
        report = project_job(session, job, folder)
    names = variable_names(problem.spec.parameters.values(), lang)
    for item in found.findings:
        session.warn(session.said(Message("calibration: {said}", said=item.message), names))
    session.data = {"fit": steps.data_of(found)}
    tell(session, report, folder.path)
    steps.refuse_failed(found, folder.path / steps.FIT)


def _compared(model: "Model") -> "Sequence[Scenario]":
    """The mixes of the demonstration and every single lever, each with money per head and by need."""
    from pysd_runner.scenarios import load_scenario
    from pysd_runner.scenarios.crossing import crossed, single_levers

    mixes = [replace(load_scenario(name, model=model), compare_with=()) for name in CROSSED]
    budget = mixes[0].policy.budget
    return crossed([*mixes, *single_levers(float(budget) if isinstance(budget, float) else 0.0, model=model)])
