"""Policy studies shared by several commands; ``gapsim attribute``, what each lever does, and ``explain``, each loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice, choose
from pysd_runner.cli.options import Force, ModelPath, Out, Reading, RunOptions, Until
from pysd_runner.cli.projecting import check_names, files_of, target, tell_folder
from pysd_runner.cli.run import shipped
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import check_regions, read_fit, started
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.numbers import percent
from pysd_runner.reports.folders import check_file, save_whole

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.data import Data
    from pysd_runner.policy.cost import Costs
    from pysd_runner.policy.study import Study
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import ProjectionInputs
    from pysd_runner.study.loops import Loops

# Default number of draws, repeated in the help: a search runs the model hundreds of times for each draw.
SEARCH_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(RunOptions):
    """Options for the outcome of a policy and the inputs of its runs."""

    outcome: Annotated[
        str | None,
        typer.Option(
            "--outcome",
            help="Of regions gap_closed, theil_closed, theil_between_closed, output_change, leader_change or one under "
            "[regional_outcomes] in the .toml of the model; otherwise one that it declares with its better direction "
            "[default: the first].",
        ),
    ] = None
    draws: Annotated[
        int | None,
        typer.Option("--draws", min=1, help="Number of draws; 1 gives central values alone [default: 200]."),
    ] = None


def policy_inputs(session: Session, asked: PolicyOptions, choice: DataChoice) -> "ProjectionInputs":
    """Draw the inputs shared by all policies, with the forecast as the run without policy."""
    fitted = None if asked.fit is None else read_fit(asked.fit)
    data = None if choice.source is None else choice.read(session, fitted)
    start = started(session, choice.load_model(data), data, fitted, asked, draws=SEARCH_DRAWS)
    found = start.drawn(session, Message("Drawing what every policy starts from"))
    for text in found.design.unfollowed if start.baseline is None else ():
        session.warn(text)
    return found


def policy_study(session: Session, inputs: "ProjectionInputs", outcome: str | None) -> "Study":
    """Create the study of some inputs; check the name of the outcome, and report the study's notes as warnings."""
    from pysd_runner.policy.studies import study_of

    study = study_of(inputs, lang=session.lang)
    study.outcome(outcome or "")
    for text in study.notes:
        session.warn(text)
    return study


def spending(inputs: "ProjectionInputs", name: str) -> "Scenario":
    """Load a shipped scenario or a scenario file; raise `InvalidInput` if it spends no money."""
    from pysd_runner.scenarios import load_scenario

    found = load_scenario(name, model=inputs.model, regions=inputs.regions)
    if not (found.policy.spends or found.changes):
        raise InvalidInput(
            "scenario {scenario!r} spends no money, so it has no effect; set policy.budget", scenario=found.name
        )
    return found


@command(
    "attribute",
    "gapsim attribute zoned_need --fit fit --out parts",
    "gapsim attribute zoned_need --outcome output_change --draws 50",
    "gapsim attribute doses.yaml --model mine.mdl --data obs.csv --fit own_fit",
)
def attribute(
    session: Session,
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario (`gapsim list`) or a scenario file.", autocompletion=shipped)
    ],
    *,
    model: ModelPath = None,
    asked: PolicyOptions,
    reading: Reading = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Say what each lever of a policy contributes to its effect, with intervals.

    Every subset of the levers is run on the same draws: a lever alone, the policy without it, and the mean over all
    orders, which sums to the effect. Beside them stand who gets the money against what it buys, and the feedback loops.
    """
    check_names([scenario])
    from pysd_runner.policy.attribution import attribute as attributed
    from pysd_runner.policy.studies import loop_labels, loop_values, policy_of, references
    from pysd_runner.reports.attribution import attribution_screen, cost_sentences, write_attribution
    from pysd_runner.reports.document import filled
    from pysd_runner.reports.headline import no_present_value

    choice = choose(model, asked.data, reading, asked)
    name = f"attribution-{Path(scenario).stem}"
    folder = target(out, name, force=force, inputs=[*choice.files, *files_of(asked.fit)])
    inputs = policy_inputs(session, asked, choice)
    study = policy_study(session, inputs, asked.outcome)
    chosen = spending(inputs, scenario)
    policy, none = policy_of(study, chosen), {**study.none, **policy_of(study, chosen.baseline())}
    with session.stage(Message("Attributing")) as stage:
        found = attributed(
            study,
            policy,
            name=chosen.name,
            outcome=asked.outcome or "",
            none=none,
            reference=references(study, chosen),
            loops=loop_values(inputs.model),
            progress=stage.at,
        )
    money = None
    for panel in inputs.past:
        if inputs.fitted is not None and inputs.fitted.bound_of(inputs.model.bindings.parameters.trend_growth):
            session.warn(no_present_value(inputs.spec, session.lang))
            continue
        with session.stage(Message("Adding up costs")):
            money = _money(session, study, panel, policy, chosen.name, asked.outcome or "", none)
    loops = loop_labels(inputs.model, session.lang)
    with folder, session.stage(Message("Writing figures and tables")):
        write_attribution(found, chosen.label, folder.draft, session.lang, loops=loops, money=money)
    session.data = {
        "folder": folder.path,
        "outcome": found.outcome.key,
        "levers": found.table(),
        "split": found.split(),
        "costs": [] if money is None else money[0].table(),
        "loops": found.loop_table(),
    }
    for line in attribution_screen(found, chosen.label.get(session.lang, chosen.name), session.lang, loops):
        session.say(line)
    if money is not None:
        session.say()
        for text in cost_sentences(*money, session.lang):
            for line in filled(text):
                session.say(line)
    tell_folder(session, folder.path)


def _money(
    session: Session,
    study: "Study",
    panel: "Data",
    policy: Mapping[str, Any],
    name: str,
    outcome: str,
    none: Mapping[str, Any],
) -> "tuple[Costs, Costs, dict[str, str]] | None":
    """Costs of a policy and of marginal additional money; None if its budget or mix changes over time."""
    from pysd_runner.policy.cost import costs, marginal_budgets, money_variables, spent_money
    from pysd_runner.text import name_in

    money = (spent_money(study.model), money_variables(study.model))
    whole = costs(study, {name: policy}, *money, outcome=outcome, against=none)
    try:
        policies = marginal_budgets(study, policy)
    except InvalidInput:
        return None
    more = costs(study, policies, *money, outcome=outcome, against=policy)
    names = {f"lever.{key}": lever.label(session.lang) for key, lever in study.levers.items()}
    names |= {f"region.{item.code}": item.name(session.lang) for item in panel.regions}
    return whole, more, {key: names.get(key) or name_in(session.lang, *key.split(".", 1)) for key in policies}


# Maximum number of loops shown on the screen.
MOST_LOOPS = 15


@command(
    "explain",
    "gapsim explain --model mine.mdl --of Stock",
    "gapsim explain --region Gansu --fit fit --out gansu.png",
    "gapsim explain --region Gansu --scenario skills_programme --find strongest --of 'Skilled People'",
)
def explain(
    session: Session,
    *,
    model: ModelPath = None,
    of: Annotated[
        str, typer.Option("--of", metavar="NAME", help="Stock or variable that all loops pass through [default: any].")
    ] = "",
    region: Annotated[str, typer.Option("--region", help="Region whose loops are shown, by name or code.")] = "",
    scenario: Annotated[
        str, typer.Option("--scenario", help="Scenario of the run [default: none].", autocompletion=shipped)
    ] = "",
    find: Annotated[
        str,
        typer.Option(
            "--find", metavar="all|strongest|named", help="Which loops [default: named ones, else all, else strongest]."
        ),
    ] = "",
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="File of data, or a shipped panel.")
    ] = None,
    fit: Annotated[
        Path | None, typer.Option("--fit", help="What `gapsim calibrate` wrote [default: the priors].")
    ] = None,
    until: Until = None,
    reading: Reading = None,
    out: Annotated[Path | None, typer.Option("--out", help="Figure to write [default: loops.png].")] = None,
    force: Force = False,
) -> None:
    """Say which feedback loops drive a run, with the share of each in the change, by period, and draw them.

    Loops are scored by the method Loops that Matter on one run with central values. What the loops shown hold of all
    loops is said, and what was left out. Of a model of regions one region is explained at a time.
    """
    asked = RunOptions(data=data, fit=fit, until=until, draws=1)
    choice = choose(model, data, reading, asked)
    picture = out or Path("loops.png")
    picture = picture if picture.suffix else picture.with_name(f"{picture.name}.png")
    check_file(picture, ".png", replace=force, inputs=choice.files)
    inputs = _one_run(session, choice, asked, region)
    if bool(region) != bool(inputs.design.entity):
        raise InvalidInput("--region names the region of a model of regions, and no other model has one")
    from pysd_runner.plots.figure import save_png
    from pysd_runner.reports.document import aligned, filled
    from pysd_runner.text import translate

    with session.stage(Message("Following the feedback loops")):
        found = _loops(inputs, scenario, {"Region": region} if region else {}, of, find)
    table = found.table()
    session.data = {
        "loops": table,
        **{name: getattr(found, name) for name in ("held", "counted", "longest", "partitions", "left_out")},
        "sentence": found.sentence(session.lang),
        "picture": picture if found.paths else None,
    }
    numbers = table.head(MOST_LOOPS).drop(columns="path")
    rows = ([*map(percent, row), found.label(name, session.lang)] for name, *row in numbers.itertuples())
    heads = [translate("policy.value", session.lang), *numbers.columns[1:], "%"]
    for line in aligned([heads, *rows], words={numbers.shape[1]}):
        session.say(line)
    session.say()
    for line in filled(found.sentence(session.lang)):
        session.say(line)
    if found.paths:
        save_whole(picture, ".png", lambda path: save_png(found.plot(lang=session.lang), path), replace=force)
        session.say(Message("picture: {picture}", picture=picture))


def _one_run(session: Session, choice: DataChoice, asked: RunOptions, region: str) -> "ProjectionInputs":
    """Inputs of one run with central values, for regions from the forecast without policy."""
    fitted = None if asked.fit is None else read_fit(asked.fit)
    data = None if choice.source is None else choice.read(session, fitted)
    if region and data is not None:
        check_regions([region], data, session.lang)
    return started(session, choice.load_model(data), data, fitted, asked).drawn(
        session, Message("Drawing what the run starts from")
    )


def _loops(inputs: "ProjectionInputs", scenario: str, focus: Mapping[str, str], of: str, find: Any) -> "Loops":
    """The requested loops; by default the declared ones, or else all if they can be enumerated."""
    from pysd_runner.policy.studies import policy_of
    from pysd_runner.scenarios.scenario import BASELINE
    from pysd_runner.study.loops import loops

    values = policy_of(inputs, scenario or BASELINE)
    named = not of and inputs.model.spec is not None and inputs.model.spec.loops
    found = partial(loops, inputs, values, focus=focus, of=of)
    if find or named:
        return found(find=find or "named")
    try:
        return found()
    except InvalidInput:
        return found(find="strongest")
