"""The command-line application: its own commands, and those registered by other packages."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
import typer.core

from pysd_runner.cli.command import (
    AS_JSON,
    BAD_INPUT,
    DEBUG,
    INTERRUPTED,
    LANG,
    QUIET,
    HelpContext,
    UsageError,
    interrupted,
    report,
    usage_message,
)
from pysd_runner.cli.describe import doctor, show
from pysd_runner.cli.ensemble import ensemble
from pysd_runner.cli.explore import brief, explore
from pysd_runner.cli.initialise import check, initialise
from pysd_runner.cli.optimise import optimise
from pysd_runner.cli.options import Language
from pysd_runner.cli.policies import attribute, explain
from pysd_runner.cli.run import plot, run
from pysd_runner.cli.session import STANDARD_OUTPUT, Session, finish, never_refuse, silence, write_line
from pysd_runner.cli.simulate import run_once
from pysd_runner.cli.study import study
from pysd_runner.cli.update import update
from pysd_runner.core.errors import Message, joined
from pysd_runner.core.former import COMMANDS, OPTIONS
from pysd_runner.text import LANGUAGES, translated, usual_language

ENTRY_POINTS = "gapsim.commands"

# Commands of the help by heading, first those that most people need; commands not listed here join them.
SECTIONS = {
    "Commands": (
        "demo",
        "brief",
        "explore",
        "update",
        "init",
        "data",
        "calibrate",
        "forecast",
        "run",
    ),
    "Policies in depth": ("attribute", "optimise", "explain", "evidence", "plot"),
    "Tests of models and forecasts": ("evaluate", "backtest"),
    "Any Vensim or XMILE model": ("simulate", "ensemble", "study"),
    "Look up": ("list", "doctor"),
}
HEADINGS = {name: heading for heading, names in SECTIONS.items() for name in names}

HELP = """\
Projects the gaps in output per head between regions under mixes of digital policy, with their uncertainty.

Results go to standard output and to files, progress and warnings to standard error. Exit codes: 0 ok, 1 a bug,
2 bad input, 3 diagnostics of a calibration or tests of an evaluation failed (the result is written), 4 a simulation
failed or breaks a rule of its model, 130 interrupted, 143 asked to end (SIGTERM).
"""

EPILOG = """\
\b
Examples:
  gapsim brief Sichuan                one page on a region, from the shipped panel
  gapsim demo --draws 20              the whole way on the shipped panel, quickly
  gapsim init my_study                files to start your own study from
  gapsim run zoned_need --out need    project one policy mix, beside no policy
"""


class OrderedGroup(typer.core.TyperGroup):
    """Commands under the headings of `SECTIONS`, in their order."""

    context_class = HelpContext

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Names of the commands, as the help shows them."""
        return sorted(self.commands, key=lambda name: ((*HEADINGS, name).index(name), name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; one of an earlier version is refused with its replacement."""
        if args[0] in COMMANDS:
            ctx.fail(Message("{former} is now {name}", former=f"`gapsim {args[0]}`", name=COMMANDS[args[0]]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under each heading; names are as wide under all of them."""
        names = self.list_commands(ctx)
        wide = max(map(len, names))
        for heading in SECTIONS:
            shown = [name for name in names if HEADINGS.get(name, "Commands") == heading]
            if shown:
                with formatter.section(heading):
                    formatter.write_dl([(name.ljust(wide), self.commands[name].get_short_help_str()) for name in shown])


def application() -> typer.Typer:
    """Assemble the application."""
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
    data = typer.Typer(
        name="data",
        cls=OrderedGroup,
        help="Work on panels: `data check` lists everything that is wrong with one.",
        no_args_is_help=True,
    )
    check.add_to(data)
    app.add_typer(data, short_help="Work on panels: `data check` lists everything that is wrong with one.")
    whole = (initialise, update, run, plot, brief, explore, attribute, optimise, explain, run_once, ensemble, study)
    for item in (*whole, show, doctor):
        item.add_to(app)
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
    as_json: Annotated[bool, AS_JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
    debug: Annotated[bool, DEBUG] = False,
    lang: Annotated[Language | None, LANG] = None,
) -> None:
    """Options of the program itself, whose help text is set in `application`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Command-line arguments after the name of the program; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0 ok, 1 a bug, 2 bad input, 3 diagnostics of a calibration failed (its result is written), 4 a
        simulation failed, 130 interrupted, 143 terminated (SIGTERM), 129 terminal closed; finished work is kept.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # A stream closed before the start is None, and its descriptor would be given to the next file that is opened.
    sys.stdout, sys.stderr = (stream or _nowhere() for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        never_refuse(stream)
    code = _run(given)
    if not finish(sys.stdout):
        code = code or BAD_INPUT
    finish(sys.stderr)
    return code


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _run(given: list[str]) -> int:
    try:
        return _answered(given)
    except OSError as error:
        # Help, version and usage are written outside of any command.
        silence(sys.stdout)
        write_line(
            Message("error: {standard_output}: {reason}", standard_output=STANDARD_OUTPUT, reason=error.strerror),
            err=True,
        )
        return BAD_INPUT


def _answered(given: list[str]) -> int:
    try:
        code = application()(given, prog_name="gapsim", standalone_mode=False, obj=_language(given))
    except UsageError as error:
        return _usage(error, _language(given), as_json="--json" in given)
    except (typer.Abort, KeyboardInterrupt):
        # Interrupted before the command installed its signal handlers.
        session = Session(as_json="--json" in given, lang=_language(given))
        return report(session, KeyboardInterrupt(), INTERRUPTED, interrupted(session))
    return code if isinstance(code, int) else 0


def _language(given: Sequence[str]) -> str:
    """Language requested by arguments that could not be parsed."""
    asked = [word.removeprefix("--lang=") for word in given if word.startswith("--lang=")]
    asked += [after for word, after in pairwise(given) if word == "--lang"]
    return next((lang for lang in asked if lang in LANGUAGES), usual_language())


def _former(error: Any) -> str:
    """Replacement of a command of an earlier version, or of an unknown option that is one of an earlier version."""
    if isinstance(error.message, Message):
        return error.message
    option = getattr(error, "option_name", "")
    name = OPTIONS.get(option, "")
    known = {text for item in getattr(getattr(error.ctx, "command", None), "params", ()) for text in item.opts}
    return Message("{former} is now {name}", former=option, name=name) if name.partition(" ")[0] in known else ""


def _usage(error: Any, lang: str, *, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its message is the help
        write_line(error.format_message(), err=True)
        return BAD_INPUT
    context = error.ctx
    path = context.command_path if context is not None else "gapsim"
    message = error.format_message().replace("Value error, ", "")
    former = _former(error)
    message = former or message
    told = Message("error: {said}", said=former or usage_message(message))
    advice = Message("`{command}` shows what it takes, with an example.", command=f"{path} --help")
    write_line(translated(joined([told, advice], "\n  "), lang), err=True)
    Session(as_json=as_json).close({"kind": "UsageError", "message": message, "exit_code": BAD_INPUT})
    return BAD_INPUT
