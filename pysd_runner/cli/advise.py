"""``gapsim advise``: which policy to take when much is not known."""

from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import PanelChoice, PanelOptions
from pysd_runner.cli.optimise import rival_scenarios
from pysd_runner.cli.options import Force, Lang, Language, Out
from pysd_runner.cli.policies import PolicyOptions, policy_inputs, policy_study, spending
from pysd_runner.cli.projecting import definitions_of, files_of, read_others, target
from pysd_runner.cli.run import shipped
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = (
        "gapsim advise --fit fit --out advice",
        "gapsim advise best/optimised.yaml --fit fit --lang zh",
    )
    command(app, "advise", examples=examples)(advise)


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
    reading: PanelOptions,
    out: Out = None,
    lang: Lang = Language.EN,
    force: Force = False,
) -> int:
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

    choice = PanelChoice(source=asked.source, options=reading)
    folder = target(out, "advice", force=force, inputs=[*choice.files, *files_of(asked.fit)])
    inputs = policy_inputs(session, asked, choice)
    study = policy_study(session, inputs, asked.outcome, lang)
    own = [spending(inputs, name) for name in scenarios or ()]
    root = own[0] if own else spending(inputs, "zoned_need")
    cast = list(distinct([*own, *rival_scenarios(inputs, root)]))
    others = read_others(asked.fit)
    main = definitions_of(inputs.fitted)[0] if others and inputs.fitted is not None else ""
    studies = {main: study}
    for name, fitted in others.items():
        with session.stage(f"Drawing what every policy starts from, {name}"):
            again = inputs_of(inputs.model, inputs.panel, fitted, baseline=inputs.baseline, **dict(inputs.settings))
        studies[name] = study_of(again, lang=lang)
    with session.stage("Comparing policies in futures") as stage:
        found = advised(
            futures_of(studies, seed=int(asked.seed or 0)),
            {item.name: policy_of(inputs, item) for item in cast},
            outcome=asked.outcome or "",
            seed=int(asked.seed or 0),
            progress=stage.at,
        )
    labels = {item.name: item.label.get(lang, item.name) for item in cast}
    with folder, session.stage(Message("Drawing and writing")):
        write_advice(found, {item.name: item.label for item in cast}, folder.draft, lang)
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
    for line in advice_screen(found, labels, lang):
        session.say(line)
    session.say()
    session.say(Message("Results: {folder}", folder=folder.path))
    session.say(Message("  Start with {page}, or advice.md beside it.", page=Path(folder.path) / "advice.html"))
    return 0
