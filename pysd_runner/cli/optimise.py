"""``gapsim optimise`` finds the best policy under uncertainty."""

import shlex
import shutil
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import choose
from pysd_runner.cli.options import (
    OF_REGIONS,
    Force,
    ModelPath,
    Out,
    Parts,
    Reading,
    Workers,
    leaving_out,
)
from pysd_runner.cli.policies import PolicyOptions, policy_inputs, policy_study, spending
from pysd_runner.cli.projecting import files_of, target, tell_folder
from pysd_runner.cli.run import shipped
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.policy.space import Space
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import ProjectionInputs

# Length of a period of `Choice.PERIODS`, in years.
PERIOD = 5


class Choice(StrEnum):
    """Decision variables of the optimisation."""

    CLASSES = "classes"
    UNIFORM = "uniform"
    PERIODS = "periods"
    MONEY = "money"


STATISTICS = ("mean", "cvar", "regret")


class Goal(NamedTuple):
    """Statistic over draws that is optimised; for the share of draws that reach an effect, also that effect."""

    statistic: Literal["mean", "cvar", "regret", "satisfied"] = "mean"
    effect: float = 0.0


def goal_option(text: str) -> Goal:
    """Parse a statistic or an effect."""
    if text in STATISTICS:
        return Goal(text)  # type: ignore[arg-type]
    try:
        return Goal("satisfied", float(text))
    except ValueError as error:
        known = ", ".join(STATISTICS)
        raise typer.BadParameter(
            Message("expected {known} or a number; found {text!r}", known=known, text=text)
        ) from error


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Options for the decision variables, the objective and the search."""

    choose: Annotated[
        Choice,
        typer.Option(
            "--choose",
            help="Shares by class; one uniform mix; one that may change every five years; that and the money.",
        ),
        OF_REGIONS,
    ] = Choice.CLASSES
    goal: Annotated[
        Goal | None,
        typer.Option(
            "--target",
            metavar="mean|cvar|regret|EFFECT",
            parser=goal_option,
            help="What is best: the mean over draws, the mean of the worst tenth, the smallest maximum regret, or the "
            "share of draws that reach an effect [default: mean].",
        ),
    ] = None
    starts: Annotated[int, typer.Option("--starts", min=1, help="Number of searches from different points.")] = 4
    workers: Workers = None


@dataclass(frozen=True, kw_only=True)
class SearchOptions(PolicyOptions):
    """Options for the inputs of a search."""

    without: Annotated[
        list[Parts] | None,
        leaving_out(
            "constraints",
            "forecast",
            "evidence",
            help="What to leave out, with commas between: constraints (national output, the leader and other regions "
            "may fall where that closes gaps), forecast or evidence, as for `gapsim run`.",
        ),
    ] = None


@command(
    "optimise",
    "gapsim optimise --start zoned_need --fit fit --out best",
    "gapsim optimise --choose periods --outcome theil_closed --fit fit",
    "gapsim run best/optimised.yaml --fit fit",
    "gapsim optimise --model mine.mdl --data obs.csv --fit own_fit --out best",
)
def optimise(
    session: Session,
    *,
    model: ModelPath = None,
    start: Annotated[
        str,
        typer.Option(
            "--start",
            help="Scenario that gives budget, first year and the first start [default: zoned_need for regions, none "
            "otherwise].",
            autocompletion=shipped,
        ),
    ] = "",
    aim: Aim,
    asked: SearchOptions,
    reading: Reading = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Find the policy that closes most, and say how sure that is.

    Half of the draws are searched with exact derivatives, the others judge what was found. By default national output
    does not fall in 90 % of the draws, no region is more often worse off than better, and the leader is not held back
    on average. An interrupted search goes on where it was when the command is given again.
    """
    choice = choose(model, asked.data, reading, asked, aim)
    start = start or choice.design.search
    folder = target(
        out, f"optimise-{Path(start or str(model)).stem}", force=force, inputs=[*choice.files, *files_of(asked.fit)]
    )
    inputs = policy_inputs(session, asked, choice)
    # Slow imports: only after invalid requests have been rejected.
    from pysd_runner.core.parallel import open_pool
    from pysd_runner.policy.objective import Objective
    from pysd_runner.policy.optimisation import optimise as optimised
    from pysd_runner.policy.spaces import DEFAULT_CONSTRAINTS
    from pysd_runner.policy.studies import policy_of
    from pysd_runner.reports.optimum import optimum_screen, write_optimum
    from pysd_runner.text import translate

    study = policy_study(session, inputs, asked.outcome)
    roots = [spending(inputs, name) for name in filter(None, [start])]
    study = replace(
        study, none={**study.none, **{k: v for root in roots for k, v in policy_of(study, root.baseline()).items()}}
    )
    rivals = [item for root in roots for item in rival_scenarios(inputs, root)]
    space, first = _space(inputs, next(iter(roots), None), aim.choose)
    kept = folder.path.with_name(f"{folder.path.name}.searches")
    session.kept[:] = [Message("Finished parts are kept in {store}; the same command goes on from there.", store=kept)]
    goal = aim.goal or Goal()
    known = study.outcomes.keys() | study.watched.keys()
    left_out = "constraints" in asked.left_out
    constraints = () if left_out else [item for item in DEFAULT_CONSTRAINTS if item.outcome in known]
    with (
        session.stage(Message("Optimising")) as stage,
        open_pool("threads" if aim.workers else None, aim.workers, items=aim.starts) as pool,
    ):
        found = optimised(
            study,
            space,
            objective=Objective(asked.outcome or "", goal.statistic, target=goal.effect),
            subject_to=constraints,
            start=first,
            starts=aim.starts,
            rivals={item.name: policy_of(inputs, item) for item in rivals},
            seed=int(asked.seed or 0),
            executor=pool.executor,
            checkpoint=kept,
            progress=stage.at,
        )
    labels = {item.name: item.label.get(session.lang, item.name) for item in rivals}
    names = {key: translate("policy.optimum label", key, outcome=found.outcome.label(key)) for key in ("en", "zh")}
    scenario = space.scenario(study, found.point, name="optimised", label=names)
    with folder, session.stage(Message("Writing figures and tables")):
        write_optimum(found, labels, folder.draft, session.lang)
        scenario.save(folder.draft / "optimised.yaml")
    # Another process with the same command may have finished first.
    shutil.rmtree(kept, ignore_errors=True)
    session.kept.clear()
    session.data = {"folder": folder.path, **_data(found)}
    for line in optimum_screen(found, labels, session.lang):
        session.say(line)
    tell_folder(session, folder.path)
    given = (("--model", model), ("--data", asked.data), ("--fit", asked.fit))
    line = shlex.join(map(str, [folder.path / "optimised.yaml", *(word for pair in given if pair[1] for word in pair)]))
    session.say(Message("  `gapsim run {folder}` runs the policy.", folder=line))


def rival_scenarios(inputs: "ProjectionInputs", root: "Scenario") -> "list[Scenario]":
    """Shipped policies with the budget, the start and the assumptions of a scenario, without duplicates."""
    from pysd_runner.scenarios import load_scenario, shipped_scenarios
    from pysd_runner.scenarios.crossing import distinct

    found = [load_scenario(name, model=inputs.model) for name in shipped_scenarios(inputs.model)]
    alike = [
        replace(item, policy=replace(item.policy, budget=root.policy.budget, start=root.policy.start))
        for item in found
        if item.policy.spends and not item.assumptions
    ]
    alike = [replace(item, assumptions=root.assumptions, assumption_set=root.assumption_set) for item in alike]
    return list(distinct(alike))


def _space(inputs: "ProjectionInputs", root: "Scenario | None", choose: Choice) -> "tuple[Space, Any]":
    from pysd_runner.policy.spaces import space_of

    if choose is Choice.CLASSES:
        return space_of(inputs, root)
    if choose is Choice.UNIFORM:
        return space_of(inputs, root, by="lever")
    first, until = inputs.years[0] + 1, inputs.years[1]
    periods = [float(year) for year in range(first, until, PERIOD)]
    return space_of(inputs, root, by="lever", periods=periods, budget=choose is Choice.MONEY)


def _data(found: Any) -> dict[str, Any]:
    """Contents of the JSON object."""
    return {
        "outcome": found.outcome.key,
        "in_sample": found.in_sample,
        "out_of_sample": found.out_of_sample,
        "policy": found.table(),
        "effects": found.effect_table(),
        "losers": found.losers(),
        "compared": dict(found.rivals),
        "breaking": list(found.breaking),
        "beats": found.beats_rivals,
        "binding": dict(found.binding),
        "residual": found.residual,
        "relaxed": dict(found.relaxed),
        "rounding": found.rounding,
        "starts": [{"value": item.value, "miss": item.miss, "steps": item.steps} for item in found.starts],
    }
