"""Options shared by several commands, single and in groups, and functions to find which were given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import product
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.engine.validation import year

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.spec.design import StudyDesign

MODEL, SHIPPED_PANEL = "regional_digital", "china"


@dataclass(frozen=True)
class Needs:
    """Target of the study, see `StudyDesign`, to which an option applies."""

    what: Message
    target: str


OF_REGIONS = Needs(Message("a model of regions (the shipped one, or one with [bindings])"), "relative_output")
OF_OTHERS = Needs(Message("a model that takes tables (--model mine.mdl)"), "columns")


class Language(StrEnum):
    """Language of a command."""

    EN = "en"
    ZH = "zh"


Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Decides every random draw; the same seed gives the same numbers.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write [default: a new one under results/].")]
Draws = Annotated[
    int | None, typer.Option("--draws", min=1, help="Number of draws; 1 gives central values alone [default: 2500].")
]


def time_option(text: str) -> float:
    """Parse a year, a model time, or a date, which is converted to a decimal year."""
    from pysd_runner.core.calendar import time_of

    try:
        return time_of(text)
    except InvalidInput as error:
        raise typer.BadParameter(str(error)) from error


def window_option(text: str) -> slice:
    """Parse the first and the last time that are used."""
    first, sign, last = text.partition(":")
    if not sign:
        raise typer.BadParameter(Message("expected FIRST:LAST, as in 2005:2020 or :2020; found {text!r}", text=text))
    return slice(*(time_option(time) if time.strip() else None for time in (first, last)))


Until = Annotated[
    float | None,
    typer.Option(
        "--until",
        metavar="TIME",
        parser=time_option,
        help="Last year, date (2040-06-01) or moment [default: 2040, or that of the model].",
    ),
]
ShownRegions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="Region shown in figures, by name or code; repeatable [default: six of them].",
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(
        "--delta",
        min=0.0,
        help="Policies whose mean effects differ by less are as good as one another, in the unit of the effects "
        "[default: a tenth of the largest].",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Parts of the work done at the same time; results do not depend on it [default: one after the other, each "
        "on every core].",
    ),
]
Reading = Annotated[
    Path | None,
    typer.Option(
        "--reading",
        metavar="FILE",
        help="Says how the data are read; `gapsim data check` writes it [default: NAME.reading.toml beside NAME.csv].",
    ),
]
StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        file_okay=False,
        help="Keeps finished parts of the work; the same command again goes on where it stopped.",
    ),
]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="PATH",
        help="A model file, or a folder with a model.mdl. With [bindings] in the model.toml beside it, it takes panels "
        "like the shipped model; any other takes a table.",
    ),
]


class Parts(frozenset[str]):
    """Stages of the work that are skipped."""


def leaving_out(*names: str, help: str) -> Any:  # noqa: A002 - as typer calls it
    """Option ``--without`` of a command that can skip these stages."""

    def parsed(text: str) -> Parts:
        found = Parts(part.strip() for part in text.split(",") if part.strip())
        if unknown := sorted(found.difference(names)):
            known = ", ".join(names)
            raise typer.BadParameter(Message("{found} cannot be left out; {known} can", found=unknown[0], known=known))
        return found

    return typer.Option("--without", metavar="NAMES", parser=parsed, help=help)


Sets = Annotated[
    list[Path] | None,
    typer.Option(
        "--sets",
        metavar="FILE",
        help="Data set with series for data variables: .dat, .tab, .csv, .xlsx, .vdf or .vdfx; repeatable, the last "
        "that has a series counts.",
    ),
]
AnyModel = Annotated[str, typer.Option("--model", help="A shipped model, or the path of a Vensim or XMILE file.")]
Free = Annotated[
    list[str] | None,
    typer.Option(
        "--free",
        metavar="NAMES",
        help="Parameters to estimate, with commas between; repeatable [default: those declared, or at most ten the "
        "data can tell apart].",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Options for the times that are used."""

    window: Annotated[
        slice | None,
        typer.Option(
            "--window",
            metavar="FIRST:LAST",
            parser=window_option,
            help="First and last year, date or moment that is used, either of which may be missing. For a model that "
            "does not count years it begins at the first; what a table has after the last is held out and scored "
            "[default: all].",
        ),
    ] = None

    @property
    def start(self) -> float | None:
        """First time that is used."""
        return None if self.window is None else self.window.start

    @property
    def until(self) -> float | None:
        """Last time that is used."""
        return None if self.window is None else self.window.stop


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options for data, fit, horizon and draws of a run; None means the default."""

    data: Annotated[
        str | None,
        typer.Option("--data", metavar="FILE", help="File of data, or the name of a shipped panel [default: china]."),
    ] = None
    fit: Annotated[Path | None, typer.Option("--fit", help="What `gapsim calibrate` wrote [default: the priors].")] = (
        None
    )
    until: Until = None
    draws: Draws = None
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="Decides every random draw; the same seed gives the same numbers [default: 0]."
        ),
    ] = None
    without: Annotated[
        list[Parts] | None,
        leaving_out(
            "forecast",
            "evidence",
            help="What to leave out, with commas between: forecast, from which regions start (they follow the model "
            "alone), or evidence, the measured effects by which a fit is weighed.",
        ),
    ] = None

    @property
    def settings(self) -> dict[str, Any]:
        """Numerical settings of the run that were given."""
        asked = {"until": moment(self.until), "draws": self.draws, "seed": self.seed}
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def left_out(self) -> frozenset[str]:
        """Names of the stages that are skipped."""
        return frozenset().union(*self.without or ())

    @property
    def folder(self) -> Path | None:
        """Folder of the fit, in which the forecast without policy is stored."""
        return self.fit if self.fit is not None and self.fit.is_dir() else None


def moment(value: float | None) -> float | None:
    """Convert a time to an integer if it is a whole number, as years are."""
    return int(value) if value is not None and value.is_integer() else value


def check_times(design: "StudyDesign", *groups: Any) -> None:
    """Reject times of groups that are not finite or, where the data have whole years, not whole."""
    for group, name in product(groups, ("start", "until")):
        if (value := getattr(group, name, None)) is not None:
            _CLOCKS[design.clock](name, value)


def _finite(name: str, value: float) -> None:
    if not isfinite(value):
        raise InvalidInput("{name} must be finite; found {found}", name=name, found=value)


_CLOCKS: Mapping[str, Callable[[str, float], object]] = {"int64": year, "float64": _finite}


def given(*groups: Any) -> list[tuple[str, str]]:
    """Options of groups that differ from their defaults, with their values, as on a command line."""
    found = []
    for group in groups:
        for name, option, value, _ in _options(group):
            values = value if isinstance(value, list) else [value]
            found += [(option, str(item)) for item in values if value != getattr(type(group), name)]
    return found


def _options(group: Any) -> list[tuple[str, str, Any, Needs | None]]:
    """Field, option, value and required kind of model, for every option of a group."""
    hints = get_type_hints(type(group), include_extras=True)
    found = []
    for item in fields(group):
        notes = hints[item.name].__metadata__
        spelled = next(note for note in notes if isinstance(note, OptionInfo))
        # Without a default, typer stores the first spelling as the default.
        option = next(text for text in (spelled.default, *(spelled.param_decls or ())) if isinstance(text, str))
        need = next((note for note in notes if isinstance(note, Needs)), None)
        found.append((item.name, option, getattr(group, item.name), need))
    return found


def need(options: Sequence[str], what: str) -> None:
    """Reject options that require something that was not given."""
    if options:
        raise InvalidInput("{options} needs {what}", options=options[0], what=what)


def alone(options: Sequence[str], why: str) -> None:
    """Reject options that cannot be combined with an input that is used unchanged."""
    if options:
        raise InvalidInput("{why}; leave {options} away", why=why, options=", ".join(dict.fromkeys(options)))


def check_needs(design: "StudyDesign", *groups: Any) -> None:
    """Reject options of groups that do not apply to a study."""
    for group in groups:
        for name, option, value, needs in _options(group):
            if needs is not None and needs.target != design.target and value != getattr(type(group), name):
                need([option], needs.what)
