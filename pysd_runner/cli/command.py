"""Turn a function into a command, with common options, examples in its help, and exit codes for failures."""

import inspect
import logging
import re
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, get_type_hints

import typer
import typer.core

from pysd_runner.cli.options import Language
from pysd_runner.cli.session import STANDARD_OUTPUT, Session, write_line
from pysd_runner.core.errors import GapsimError, Message, joined, of_system
from pysd_runner.core.progress import is_told, listening
from pysd_runner.text import lines_of, translated, usual_language, width

PACKAGES = ("pysd_runner", "calibration")

LANG = typer.Option("--lang", help="Language: en or zh [default: that of GAPSIM_LANG, or of the system].")
AS_JSON = typer.Option("--json", help="One JSON object on standard output: schema_version, data, warnings.")
QUIET = typer.Option("--quiet", "-q", help="Nothing on standard error but errors.")
DEBUG = typer.Option("--debug", help="Show the traceback of a failure.")
# Options of the program that are also accepted after a command, whose help does not list them.
COMMON: dict[str, Any] = {
    "as_json": Annotated[bool, AS_JSON],
    "quiet": Annotated[bool, QUIET],
    "debug": Annotated[bool, DEBUG],
    "lang": Annotated[Language | None, LANG],
}
OF_PROGRAM = "Every command also takes --json, --quiet, --debug and --lang, which `gapsim --help` explains."


@dataclass(frozen=True, slots=True)
class Command:
    """A function as a command, with examples for its help."""

    # The function takes a `Session` first and then its own options; it returns an exit code or None. A parameter whose
    # type is a data class is a group: its fields are options. The first paragraphs of the docstring are the help.

    name: str
    examples: Sequence[str]
    function: Callable[..., int | None]

    def add_to(self, app: typer.Typer) -> None:
        """Add the command to an application."""
        own = list(inspect.signature(self.function, eval_str=True).parameters.values())[1:]

        def invoke(context: typer.Context, **arguments: Any) -> None:
            root = context.find_root()
            given: dict[str, Any] = {option: arguments.pop(option) or root.params.get(option) for option in COMMON}
            session = Session(**given | {"lang": str(given["lang"] or root.obj or usual_language())})
            is_told.set(True)  # a command shows progress itself
            _listen(session)
            raise typer.Exit(
                guarded(
                    session,
                    lambda: self.function(session, **{item.name: _value(item, arguments) for item in own}),
                )
            )

        added = [
            inspect.Parameter(
                option,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if option == "lang" else False,
                annotation=Annotated[annotation.__origin__, _hidden(annotation.__metadata__[0])],
            )
            for option, annotation in COMMON.items()
        ]
        known = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        options = [known, *(option for item in own for option in _options(item)), *added]
        invoke.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        invoke.__annotations__ = {item.name: item.annotation for item in options}
        text = inspect.cleandoc(self.function.__doc__ or "").partition("\nParameters\n")[0].strip()
        made = app.command(
            self.name, cls=HelpCommand, help=text, epilog=_examples(self.examples), short_help=text.partition("\n")[0]
        )
        made(invoke)


def command(name: str, *examples: str) -> Callable[[Callable[..., int | None]], Command]:
    """Decorate a function as a command."""
    return lambda function: Command(name, examples, function)


def _options(item: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """Yield a parameter as an option, or the options of a group."""
    if not is_dataclass(item.annotation):
        yield item.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(item.annotation, include_extras=True)
    for option in fields(item.annotation):
        yield inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=hints[option.name]
        )


def _value(item: inspect.Parameter, arguments: dict[str, Any]) -> Any:
    """Argument for a parameter: the value of an option, or a group with the values of its options."""
    if not is_dataclass(item.annotation):
        return arguments[item.name]
    group: Any = item.annotation
    return group(**{option.name: arguments[option.name] for option in fields(group)})


def _examples(lines: Sequence[str]) -> str:
    """Format examples as a paragraph that is not rewrapped, marked by a leading control character."""
    return "\n".join([OF_PROGRAM, "", "\b", "Examples:", *(f"  {line}" for line in lines)])


def _hidden(option: Any) -> Any:
    found = copy(option)
    found.hidden = True
    return found


def _listen(session: Session) -> None:
    """Send warnings of the packages to the session; show those of other libraries only with ``--debug``."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__module__.partition(".")[0] in PACKAGES:
            session.warn(str(message))
        elif session.debug:
            session.note(f"{category.__name__}: {message}")

    warnings.showwarning = show
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = [logging.StreamHandler() if session.debug else logging.NullHandler()]


BUG, BAD_INPUT = 1, 2
# Base of the exit codes after a signal, to which the signal number is added, as shells do.
SIGNALLED = 128
INTERRUPTED = SIGNALLED + signal.SIGINT


def guarded(session: Session, work: Callable[[], int | None]) -> int:
    """Run a command, and convert any exception to an exit code and a message."""
    try:
        with listening() as session.interruption:
            code = work() or 0
        session.close()
    except KeyboardInterrupt as interruption:
        return report(session, interruption, SIGNALLED + session.interruption.kind, interrupted(session))
    except GapsimError as error:
        return report(session, error, error.exit_code, str(error))
    except OSError as error:
        return report(session, error, BAD_INPUT, _system(error))
    except MemoryError as error:
        return report(
            session, error, BAD_INPUT, Message("there is not enough memory; ask for fewer draws or scenarios (--draws)")
        )
    except Exception as error:  # noqa: BLE001 - the outermost frame: every bug must end here, not in a traceback
        return report(session, error, BUG, _bug(error))
    return code


def report(session: Session, error: BaseException, code: int, message: str) -> int:
    """Write the message of a failure, and return its exit code."""
    if session.debug:
        write_line("".join(traceback.format_exception(error)).rstrip(), err=True)
    if code > SIGNALLED:
        write_line(session.said(message), err=True)
    else:
        told = joined([Message("error: {said}", said=message), *session.kept], "\n  ")
        write_line(session.said(told), err=True)
    session.close({"kind": type(error).__name__, "message": message, "exit_code": code})
    return code


def interrupted(session: Session) -> str:
    """Report which work of an interrupted command was saved."""
    kept = session.kept or [Message("Nothing had been finished; nothing was written.")]
    return joined([Message("Interrupted."), *kept], "\n  ")


def _system(error: OSError) -> str:
    advice = Message("choose another file or folder, or make room")
    where = str(error.filename or "")
    if where == STANDARD_OUTPUT:
        where, advice = Message("standard output"), Message("send it elsewhere")
    told = joined([of_system(error), advice], "; ")
    return Message("{where}: {said}", where=where, said=told) if where else told


def _bug(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f", {frame.filename}, line {frame.lineno}" for frame in last)
    return Message(
        "this is a bug in gapsim: {error}\n  Please report it with the command you gave, what "
        "`gapsim doctor` prints, and what --debug shows.",
        error=f"{type(error).__name__}: {error}{place}",
    )


# Parts of help, and messages of the argument parser, which formats them itself: they can only be recognised by their
# text. The parts that are recognised in turn come second.
TEMPLATES = (
    "{said}  [{extra}]",
    "{extra}; x>={low}",
    "x>={low}",
    "default: {default}",
    "No such option: {option} Did you mean {name}?",
    "No such option: {option} (Possible options: {options})",
    "No such option: {option}",
    "No such command {command}. Did you mean {name}?",
    "No such command {command}.",
    "Missing command.",
    "Missing argument {argument}.",
    "Missing option {option}.",
    "Got unexpected extra argument{s} ({arguments})",
    "Option {option} does not take a value.",
    "Option {option} requires an argument.",
    "Invalid value for {option}: {said}",
    "Input should be greater than or equal to {low}",
    "Input should be less than or equal to {high}",
    "Input should be greater than {low}",
    "Input should be a valid integer, unable to parse string as an integer",
    "Input should be a valid number, unable to parse string as a number",
    "Input should be {choices}",
    "expected a number, a year or a date such as 2040-06-01; found {text!r}",
    "expected FIRST:LAST, as in 2005:2020 or :2020; found {text!r}",
    "expected {known} or a number; found {text!r}",
    "{found} cannot be left out; {known} can",
    "{value} is not in the range {range}.",
    "{value} is not a valid integer.",
    "{value} is not a valid float.",
    "{value} is not one of {choices}.",
    "{kind} {path} does not exist.",
    "Directory {path} is a file.",
    "File {path} is a directory.",
    "{said} [default: {default}].",
    "{said}; repeatable",
    "{said}.",
)


PARTS = ("said", "default", "extra", "choices")


def usage_message(text: str) -> Message:
    """Convert a message of the argument parser to a `Message`; an unknown one keeps its text.

    >>> usage_message("Missing option '--fit'.").template
    'Missing option {option}.'
    """
    for template, pattern in _patterns():
        if match := pattern.fullmatch(text):
            parts = {name: usage_message(part) if name in PARTS else part for name, part in match.groupdict().items()}
            return Message.restored(template, parts)
    return Message(text)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    blank = re.compile(r"\\\{(\w+)\\\}")
    return tuple((text, re.compile(blank.sub(r"(?P<\1>.*)", re.escape(text.replace("!r", ""))))) for text in TEMPLATES)


# Base class of parser errors, taken from a subclass because its module differs between versions of typer.
UsageError: Any = typer.BadParameter.__mro__[1]

_BASE: Any = typer.core.TyperCommand.context_class


class HelpFormatter(_BASE.formatter_class):  # type: ignore[misc]
    """Help in Chinese, wrapped by the width of its characters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how a command is called."""
        super().write_usage(prog, args, prefix or _told("Usage: "))

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        self.write(f"{_told(heading)}{_told(': ')}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs, or examples with what each does."""
        indent = " " * self.current_indent
        for place, paragraph in enumerate(text.split("\n\n")):
            if paragraph.startswith("\b"):
                cut = [line.rpartition("  ") for line in paragraph.splitlines()[1:]]
                lines = ["".join((*call, _told(does))) for *call, does in cut]
            else:
                lines = lines_of(_told(" ".join(paragraph.split())), self.width - len(indent))
            self.write("\n" * (place > 0) + "".join(f"{indent}{line}\n" for line in lines))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options or commands, and what each means."""
        kind = re.compile(r"<(?:list\[)?([a-z]+)]?(?: range)?>")
        shown = [(kind.sub(lambda found: f"<{_told(found[1])}>", first), second) for first, second in rows]
        column = min(max(width(first) for first, _ in shown), col_max) + col_spacing
        indent = "\n" + " " * self.current_indent
        for first, second in shown:
            lines = lines_of(_told(second), max(self.width - column - 2, 10))
            room = column - width(first)
            start = first + " " * room if room >= col_spacing else f"{first}{indent}{'':{column}}"
            self.write((indent[1:] + start + f"{indent}{'':{column}}".join(lines)).rstrip() + "\n")


def _told(text: str) -> str:
    return translated(usage_message(text), "zh")


class HelpContext(_BASE):  # type: ignore[misc]
    """Context of a command, which knows the language of its help."""

    def make_formatter(self) -> Any:
        """Formatter of the help; ``obj`` of the program is the language."""
        if self.find_root().obj != "zh":
            return super().make_formatter()
        return HelpFormatter(width=self.terminal_width, max_width=self.max_content_width)


class HelpCommand(typer.core.TyperCommand):
    """A command whose help is in the language of its context."""

    context_class = HelpContext
