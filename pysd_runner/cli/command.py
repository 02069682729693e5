"""Turns a function into a command: common options, an example in its help, failures as exit codes."""

import inspect
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

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
    # The function takes a `Session` first and then its own options; it returns an exit code or None. It gets the
    # options ``--json``, ``--quiet`` and ``--debug``; the first paragraphs of its docstring are its help.

    def register(function: Function) -> Function:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        def invoke(**arguments: Any) -> None:
            session = Session(**{option: arguments.pop(option) for option in _COMMON})
            session.lang = str(arguments.get("lang", session.lang))
            _listen(session)
            raise typer.Exit(guarded(session, lambda: function(session, **arguments)))

        added = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
            for option, annotation in _COMMON.items()
        ]
        keywords = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
        invoke.__signature__ = inspect.Signature([*keywords, *added])  # type: ignore[attr-defined]
        invoke.__annotations__ = {item.name: item.annotation for item in (*own, *added)}
        text = inspect.cleandoc(function.__doc__ or "").partition("\nParameters\n")[0].strip()
        app.command(name, help=text, epilog=_examples(examples), short_help=text.partition("\n")[0])(invoke)
        return function

    return register


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
