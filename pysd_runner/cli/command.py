"""Turns a function into a command: common options, an example in its help, failures as exit codes."""

import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from pysd_runner.cli.failures import guarded
from pysd_runner.cli.session import Session

Function = TypeVar("Function", bound=Callable[..., int | None])

PACKAGES = ("pysd_runner", "calibration")

_COMMON = {
    "as_json": Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output: schema_version, data, warnings.")
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on standard error but errors.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")],
}


def command(app: typer.Typer, name: str, *, examples: Sequence[str]) -> Callable[[Function], Function]:
    """Register a function as a command."""
    # The function takes a `Session` first and then its own options; it returns an exit code or None. A parameter whose
    # type is a data class is a group: its fields are options. Every command gets ``--json``, ``--quiet`` and
    # ``--debug``; the first paragraphs of the docstring are the help.

    def register(function: Function) -> Function:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        def invoke(**arguments: Any) -> None:
            session = Session(**{option: arguments.pop(option) for option in _COMMON})
            session.lang = str(arguments.get("lang", session.lang))
            _listen(session)
            given = {item.name: _value(item, arguments) for item in own}
            raise typer.Exit(guarded(session, lambda: function(session, **given)))

        added = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
            for option, annotation in _COMMON.items()
        ]
        options = [*(option for item in own for option in _options(item)), *added]
        invoke.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        invoke.__annotations__ = {item.name: item.annotation for item in options}
        text = inspect.cleandoc(function.__doc__ or "").partition("\nParameters\n")[0].strip()
        app.command(name, help=text, epilog=_examples(examples), short_help=text.partition("\n")[0])(invoke)
        return function

    return register


def _options(item: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """A parameter as an option, or the options of a group."""
    if not is_dataclass(item.annotation):
        yield item.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(item.annotation, include_extras=True)
    for option in fields(item.annotation):
        yield inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=hints[option.name]
        )


def _value(item: inspect.Parameter, arguments: dict[str, Any]) -> Any:
    """What was given for a parameter: the value of an option, or a group with the values of its options."""
    if not is_dataclass(item.annotation):
        return arguments[item.name]
    group: Any = item.annotation
    return group(**{option.name: arguments[option.name] for option in fields(group)})


def _examples(lines: Sequence[str]) -> str:
    """Examples as a paragraph that is not filled; the sign in front tells the help writer so."""
    return "\n".join(["\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)])


def _listen(session: Session) -> None:
    """Send warnings of the packages to the session; those of other libraries only show with ``--debug``."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category.__module__.partition(".")[0] in PACKAGES:
            session.warn(str(message))
        elif session.debug:
            session.note(f"{category.__name__}: {message}")

    warnings.showwarning = show
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = [logging.StreamHandler() if session.debug else logging.NullHandler()]
