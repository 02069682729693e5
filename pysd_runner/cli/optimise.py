"""``gapsim optimise`` finds the best policy under uncertainty; ``gapsim advise`` recommends a robust one."""

import shutil
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import choose
from pysd_runner.cli.options import DataOptions, ExecutorName, Force, Out
from pysd_runner.cli.policies import PolicyOptions, policy_inputs, policy_study, spending
from pysd_runner.cli.projecting import files_of, target, tell_folder
from pysd_runner.cli.run import shipped
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import definitions_of, read_others, weighed
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


class StatisticName(StrEnum):
    """Statistic over draws that is optimised."""

    MEAN = "mean"
    CVAR = "cvar"
    REGRET = "regret"
    SATISFIED = "satisfied"


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Options for the decision variables, the objective and the search."""

    choose: Annotated[
        Choice,
        typer.Option(
            "--choose",
            help="Shares by class; one uniform mix; one that may change every five years; that and the money.",
        ),
    ] = Choice.CLASSES
    statistic: Annotated[
        StatisticName,
        typer.Option(
            "--statistic",
            help="Mean over draws, mean of the worst tenth, largest regret, or share of draws that reach --target.",
        ),
    ] = StatisticName.MEAN
    goal: Annotated[float, typer.Option("--target", help="Effect that satisfies, for --statistic satisfied.")] = 0.0
    is_free: Annotated[
        bool,
        typer.Option(
            "--unconstrained", help="Let national output, the leader and other regions fall where that closes gaps."
        ),
    ] = False
    starts: Annotated[int, typer.Option("--starts", min=1, help="Number of searches from different points.")] = 4
    executor: ExecutorName = None


@command(
    "optimise",
    "gapsim optimise --start zoned_need --fit fit --out best",
    "gapsim optimise --choose periods --outcome theil_closed --fit fit",
    "gapsim run best/optimised.yaml --fit fit",
)
def optimise(
    session: Session,
    *,
    start: Annotated[
        str,
        typer.Option(
            "--start",
            help="Scenario that gives budget, first year and the first start.",
            autocompletion=shipped,
        ),
    ] = "zoned_need",
    aim: Aim,
    asked: PolicyOptions,
    reading: DataOptions,
    out: Out = None,
    force: Force = False,
) -> None:
    """Find the policy that closes most, and say how sure that is.

    Half of the draws are searched with exact derivatives, the others judge what was found. By default national output
    does not fall in 90 % of the draws, no region is more often worse off than better, and the leader is not held back
    on average. An interrupted search goes on where it was when the command is given again.
    """
    from pysd_runner.core.parallel import check_executor

    if aim.executor is not None:
        check_executor(aim.executor)
    choice = choose(None, asked.data, reading, asked)
    folder = target(out, f"optimise-{Path(start).stem}", force=force, inputs=[*choice.files, *files_of(asked.fit)])
    inputs = policy_inputs(session, asked, choice)
    # Slow imports: only after invalid requests have been rejected.
    from pysd_runner.policy.objective import Objective
    from pysd_runner.policy.optimisation import optimise as optimised
    from pysd_runner.policy.spaces import DEFAULT_CONSTRAINTS
    from pysd_runner.policy.studies import policy_of
    from pysd_runner.reports.advice import optimum_screen, write_optimum
    from pysd_runner.text import say

    study = policy_study(session, inputs, asked.outcome)
    root = spending(inputs, start)
    rivals = rival_scenarios(inputs, root)
    space, first = _space(inputs, root, aim.choose)
    kept = folder.path.with_name(f"{folder.path.name}.searches")
    session.kept[:] = [Message("Finished parts are kept in {store}; the same command goes on from there.", store=kept)]
    constraints = () if aim.is_free else DEFAULT_CONSTRAINTS
    with session.stage(Message("Optimising")) as stage:
        found = optimised(
            replace(study, none=policy_of(inputs, root.baseline())),
            space,
            objective=Objective(asked.outcome or "", aim.statistic.value, target=aim.goal),
            subject_to=constraints,
            start=first,
            starts=aim.starts,
            rivals={item.name: policy_of(inputs, item) for item in rivals},
            seed=int(asked.seed or 0),
            executor=aim.executor,
            checkpoint=kept,
            progress=stage.at,
        )
    labels = {item.name: item.label.get(session.lang, item.name) for item in rivals}
    names = {key: say("policy.optimum label", key, outcome=found.outcome.label(key)) for key in ("en", "zh")}
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
    session.say(Message("  `gapsim run {folder}` runs the policy.", folder=folder.path / "optimised.yaml"))


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


def _space(inputs: "ProjectionInputs", root: "Scenario", choose: Choice) -> "tuple[Space, Any]":
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
        "policy": found.table().reset_index().to_dict("records"),
        "effects": found.effect_table().reset_index().to_dict("records"),
        "losers": found.losers().reset_index().to_dict("records"),
        "compared": dict(found.rivals),
        "breaking": list(found.breaking),
        "beats": found.beats_rivals,
        "binding": dict(found.binding),
        "residual": found.residual,
        "relaxed": dict(found.relaxed),
        "rounding": found.rounding,
        "starts": [{"value": item.value, "miss": item.miss, "steps": item.steps} for item in found.starts],
    }


@command(
    "advise",
    "gapsim advise --fit fit --out advice",
    "gapsim advise best/optimised.yaml --fit fit --lang zh",
)
def advise(
    session: Session,
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCENARIO",
            help="Policies that are compared with the shipped ones; the first gives budget and start.",
            autocompletion=shipped,
        ),
    ] = None,
    *,
    asked: PolicyOptions,
    reading: DataOptions,
    out: Out = None,
    force: Force = False,
) -> None:
    """Recommend a policy, or say plainly that none is robust.

    All policies are run in futures: draws of the posterior with unit costs between half and twice, each definition of a
    skill that was fitted, and assumptions about policy that hold or do not. The page says what would change the
    answer, who loses and what to measure next.
    """
    from pysd_runner.policy.advice import advise as advised
    from pysd_runner.policy.futures import futures_of
    from pysd_runner.policy.studies import policy_of, study_of
    from pysd_runner.reports.advice import advice_screen, write_advice
    from pysd_runner.scenarios.crossing import distinct
    from pysd_runner.study.inputs import inputs_of

    choice = choose(None, asked.data, reading, asked)
    folder = target(out, "advice", force=force, inputs=[*choice.files, *files_of(asked.fit)])
    inputs = policy_inputs(session, asked, choice)
    study = policy_study(session, inputs, asked.outcome)
    own = [spending(inputs, name) for name in scenarios or ()]
    root = own[0] if own else spending(inputs, "zoned_need")
    cast = list(distinct([*own, *rival_scenarios(inputs, root)]))
    others = {
        name: weighed(session, inputs.model, inputs.panel, item, asked) for name, item in read_others(asked.fit).items()
    }
    main = definitions_of(inputs.fitted)[0] if others and inputs.fitted is not None else ""
    studies = {main: study}
    for name, fitted in others.items():
        with session.stage(Message("Drawing what every policy starts from, {name}", name=name)):
            again = inputs_of(inputs.model, inputs.panel, fitted, baseline=inputs.baseline, **dict(inputs.settings))
        studies[name] = study_of(again, lang=session.lang)
    with session.stage(Message("Comparing policies in futures")) as stage:
        found = advised(
            futures_of(studies, seed=int(asked.seed or 0)),
            {item.name: policy_of(inputs, item) for item in cast},
            outcome=asked.outcome or "",
            seed=int(asked.seed or 0),
            progress=stage.at,
        )
    labels = {item.name: item.label.get(session.lang, item.name) for item in cast}
    with folder, session.stage(Message("Writing figures and tables")):
        write_advice(found, {item.name: item.label for item in cast}, folder.draft, session.lang)
    session.data = {
        "folder": folder.path,
        "recommended": found.recommended or None,
        "leading": found.leading,
        "least_regret": found.least_regret,
        "policies": found.table().reset_index().to_dict("records"),
        "switches": [
            {"cost": item.factor.key, "level": item.level, "below": item.below, "above": item.above}
            for item in found.switches
        ],
        "information": found.worths().reset_index().to_dict("records"),
    }
    for line in advice_screen(found, labels, session.lang):
        session.say(line)
    tell_folder(session, folder.path, "advice")
