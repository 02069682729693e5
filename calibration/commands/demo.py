"""The command that goes the whole way on the shipped panel."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import PanelChoice
from pysd_runner.cli.options import (
    Draws,
    ExecutorName,
    Force,
    Lang,
    Language,
    Seed,
    ShownRegions,
    StoreFolder,
    Until,
)
from pysd_runner.cli.projecting import MODEL, Job, project_job, settings_of, target, tell
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message
from pysd_runner.text import variable_names

if TYPE_CHECKING:  # these load numpy
    from collections.abc import Sequence

    from pysd_runner.panel import Data
    from pysd_runner.scenarios import Scenario

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
DRAWS_KEPT = 2500
# Figures of the fit; `gapsim calibrate` draws paths and residuals of every region as well.
OF_FIT = ("parameters", "series")
# What the demonstration goes through: a fit and its sample, verdicts and report of it, forecast, paths, comparison and
# drawing; a fit and its sample once more for each other definition.
_STAGES_OF_FIT = 2
_STAGES = _STAGES_OF_FIT + 6


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "demo", examples=("gapsim demo", "gapsim demo --draws 20 --out demo"))(demo)


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
    from pysd_runner.model import load_model

    folder = target(out, "demo", force=force)
    choice = PanelChoice(source=steps.PANEL)
    panel = choice.read(session)
    years = f"{panel.years[0]}-{panel.years[-1]}"
    settings = {"until": until, "draws": draws, "seed": seed}
    settings_of(load_model(MODEL, regions=len(panel.regions)), panel, None, settings, scenarios=len(DEMONSTRATED) + 1)
    session.note(
        Message(
            "Panel {panel}: {count} regions, {years}, {problems} problems",
            panel=steps.PANEL,
            count=len(panel.regions),
            years=years,
            problems=len(panel.problems) or Message("no"),
        )
    )
    with folder:
        problem, search = (
            steps.problem_of(panel),
            steps.Search(starts=starts, seed=seed, executor=executor, store=store),
        )
        search.check()
        session.stages = _STAGES + len(problem.alternatives) * _STAGES_OF_FIT
        search.tell(session)
        found = steps.fitted(session, problem, search)
        found = steps.judged(session, problem, found, folder.draft / steps.FIT, search, profiles=False)
        found.save(folder.draft / steps.FIT)
        folder.finished(steps.FIT)
        session.kept.append(
            f"The calibration had finished and is kept in {folder.kept / steps.FIT}; go on with "
            f"`gapsim run {DEMONSTRATED[0]} --fit {folder.kept / steps.FIT}`"
        )
        found = steps.sampled(session, problem, found, folder.draft / steps.FIT, search, draws=DRAWS_KEPT)
        found.save(folder.draft / steps.FIT)
        others = steps.alternatives(session, panel, problem, search, folder.draft / steps.FIT, {}, sample=DRAWS_KEPT)
        steps.draw(session, problem, found, folder.draft / steps.FIT, lang, panel, only=OF_FIT)
        job = Job(
            panel=panel,
            source=steps.PANEL,
            scenarios=DEMONSTRATED,
            fitted=found.fitted,
            others={name: item.fitted for name, item in others.items()},
            folder=folder.draft / steps.FIT,
            compared=_compared(panel),
            regions=region or (),
            settings=settings,
            lang=lang,
        )
        report = project_job(session, job, folder)
    names = variable_names(problem.spec.parameters.values(), lang)
    for item in found.findings:
        session.warn(session.said(Message("calibration: {said}", said=item.message), names))
    session.data = {"fit": steps.data_of(found)}
    tell(session, report, folder.path)
    steps.refuse_failed(found, folder.path / steps.FIT)


def _compared(panel: "Data") -> "Sequence[Scenario]":
    """The mixes of the demonstration and every lever alone, each with its money per head and by need."""
    from pysd_runner.model import load_model
    from pysd_runner.scenarios import load_scenario
    from pysd_runner.scenarios.crossing import crossed, single_levers

    model = load_model(MODEL, regions=len(panel.regions))
    mixes = [replace(load_scenario(name, model=model), compare_with=()) for name in CROSSED]
    budget = mixes[0].policy.budget
    return crossed([*mixes, *single_levers(float(budget) if isinstance(budget, float) else 0.0, model=model)])
