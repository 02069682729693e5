"""``gapsim describe``: what a name means."""

from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DeclaredModel
from pysd_runner.cli.projecting import MODEL
from pysd_runner.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = ("gapsim describe zoned_need", "gapsim describe Sichuan", 'gapsim describe "Access Share"')
    command(app, "describe", examples=examples)(describe)


def describe(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(
            help="A scenario or scenario file, parameter, outcome, input, lever or variable, or a region of a panel."
        ),
    ],
    *,
    model: DeclaredModel = MODEL,
    panel: Annotated[
        str, typer.Option("--panel", help="Panel with the region [default: the shipped ones].", show_default=False)
    ] = "",
) -> None:
    """Say what a name means: unit, equation, value and bounds, evidence with sources, in English and Chinese."""
    from pysd_runner.reports.description import describe_name

    found = describe_name(name, model=model, panel=panel)
    session.data = [item.to_dict() for item in found]
    session.say("\n\n".join("\n".join(item.lines()) for item in found))
