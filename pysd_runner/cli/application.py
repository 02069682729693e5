"""The application: its own commands, and those other packages bring."""

from importlib.metadata import entry_points
from typing import Annotated

import typer
import typer.core

from pysd_runner.cli import (
    advise,
    attribute,
    brief,
    check_data,
    describe,
    doctor,
    ensemble,
    explore,
    initialise,
    listing,
    optimise,
    plot,
    run,
    schema,
    simulate,
)

ENTRY_POINTS = "gapsim.commands"

# The order in which a newcomer meets them; commands of other packages that are not named here come last.
ORDER = (
    "init",
    "demo",
    "data",
    "calibrate",
    "evaluate",
    "run",
    "brief",
    "explore",
    "attribute",
    "optimise",
    "advise",
    "plot",
    "simulate",
    "ensemble",
    "backtest",
    "forecast",
    "list",
    "describe",
    "schema",
    "doctor",
)

HELP = """\
Projects the gaps in output per head between regions under mixes of digital policy, with their uncertainty.

Results go to standard output and to files, progress and warnings to standard error. Exit codes: 0 ok, 1 a bug,
2 bad input, 3 diagnostics of a calibration or tests of an evaluation failed (the result is written), 4 a simulation
failed or breaks a rule of its model, 130 interrupted, 143 asked to end (SIGTERM).
"""

EPILOG = """\
\b
Examples:
  gapsim demo --draws 20              the whole way on the shipped panel, quickly
  gapsim list                         what ships
  gapsim run zoned_need --out need    project one policy mix, beside no policy
  gapsim init my_study                files to start your own study from
"""


class OrderedGroup(typer.core.TyperGroup):
    """Commands in the order of `ORDER`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Names of the commands, as the help shows them."""
        known = list(self.commands)
        return sorted(known, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def application() -> typer.Typer:
    """Put the application together."""
    app = typer.Typer(
        name="gapsim",
        cls=OrderedGroup,
        help=HELP,
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_options)
    for module in (
        initialise,
        check_data,
        run,
        brief,
        explore,
        attribute,
        optimise,
        advise,
        plot,
        simulate,
        ensemble,
        listing,
        describe,
        schema,
        doctor,
    ):
        module.register(app)
    for point in entry_points(group=ENTRY_POINTS):
        point.load()(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"gapsim {version('gapsim')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself; its help is given to the application."""
