"""``gapsim list``: what ships."""

from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DeclaredModel
from pysd_runner.cli.options import Lang, Language
from pysd_runner.cli.projecting import MODEL
from pysd_runner.cli.session import Session

# What an analyst starts with; the other kinds are long and are listed on request.
FIRST = ("models", "panels", "scenarios", "outcomes")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "list", examples=("gapsim list", "gapsim list parameters --lang zh"))(show)


def show(
    session: Session,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="models, panels, scenarios, outcomes, levers, classes, parameters, inputs or measurements.",
        ),
    ] = None,
    *,
    model: DeclaredModel = MODEL,
    lang: Lang = Language.EN,
) -> None:
    """List scenarios, parameters, outcomes, panels and models, each with its unit and meaning."""
    from pysd_runner.reports.catalogue import KINDS, catalogue

    kinds = FIRST if kind is None else (kind,)
    found = {name: catalogue(name, model=model) for name in kinds}
    session.data = {
        name: [{"name": item.name, "unit": item.unit, "en": item.en, "zh": item.zh} for item in entries]
        for name, entries in found.items()
    }
    for name, entries in found.items():
        session.say(f"{name}:")
        width = max((len(item.name) for item in entries), default=0)
        for item in entries:
            unit = f" [{item.unit}]" if item.unit else ""
            session.say(f"  {item.name:<{width}}  {item.label(lang)}{unit}".rstrip())
    if kind is None:
        session.note(
            f"More: `gapsim list {'|'.join(item for item in KINDS if item not in FIRST)}`, `gapsim describe NAME`"
        )
