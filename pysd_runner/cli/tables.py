"""A model of one's own and its data, from the options of a command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.model import Model
    from pysd_runner.panel import Problem, Table

# Endings of model files.
ENDINGS = (".mdl", ".xmile", ".stmx", ".itmx", ".xml")

ModelFile = Annotated[Path | None, typer.Option("--model", metavar="FILE", help="A Vensim or XMILE model of your own.")]
ModelPath = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="PATH",
        help="A model file, or a folder with a model.mdl. With [bindings] in the model.toml beside it, it takes panels "
        "like the shipped model; any other takes a table.",
    ),
]
DeclaredModel = Annotated[
    str,
    typer.Option("--model", help="A shipped model, or the path of one whose model.toml has [bindings]."),
]
Free = Annotated[
    str | None,
    typer.Option(
        "--free",
        metavar="NAMES",
        help="Own model: parameters to estimate, separated by commas [default: at most ten the data can tell apart].",
    ),
]
TimeColumn = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help="Own model: column of the times [default: found].")
]
TimeUnit = Annotated[
    str | None,
    typer.Option("--time-unit", metavar="UNIT", help="Own model: unit of the times: day, week, month, quarter, year."),
]
Entity = Annotated[
    list[str] | None,
    typer.Option("--entity", metavar="COLUMN", help="Own model: column that names entities; repeatable."),
]
Start = Annotated[
    float | None, typer.Option("--start", help="Own model: where the run starts [default: that of the file].")
]


def is_own(model: Path | None, hint: str = "") -> bool:
    """Whether a model goes with a table: it is given, and declares no bindings that tie it to a panel of regions."""
    from pysd_runner.core.errors import UnknownName
    from pysd_runner.spec.load import binds

    if model is None:
        return False
    try:
        return not binds(model)
    except UnknownName as error:
        raise UnknownName(
            "--model: {reason} Expected a model file or a folder with a model.mdl{hint}.", reason=error, hint=hint
        ) from None


def files_of_model(model: Path | None) -> list[Path]:
    """The model file and what stands beside it, which no command replaces."""
    from pysd_runner.core.paths import model_file

    return [] if model is None else [*model_file(model).parent.glob("*")]


def is_model_file(name: object) -> bool:
    """Whether a text or path names a model file."""
    return isinstance(name, str | Path) and Path(name).suffix.casefold() in ENDINGS


@dataclass(frozen=True, kw_only=True, slots=True)
class TableChoice:
    """A model of one's own and the table that goes with it.

    Parameters
    ----------
    model
        The model file.
    source
        The data; None for none.
    columns, units
        As given on the command line, ``column=variable`` and ``column=unit``.
    time, time_unit, entity, encoding
        How the table is read.
    """

    model: Path
    source: str | None = None
    columns: Sequence[str] = ()
    units: Sequence[str] = ()
    time: str | None = None
    time_unit: str | None = None
    entity: Sequence[str] = ()
    encoding: str | None = None

    @property
    def files(self) -> tuple[str | Path, ...]:
        """What is read, which a command never writes over."""
        return (self.model, *([] if self.source is None else [self.source]))

    def load_model(self) -> "Model":
        """Read the model with the declarations beside it.

        Raises
        ------
        InvalidModel
            If it cannot be read.
        UnsupportedFeature
            If the engine does not cover it.
        """
        from pysd_runner.model import load_model

        if not is_model_file(self.model):
            raise InvalidInput(
                "--model: {model!r} is no model file; expected one that ends in {endings}",
                model=str(self.model),
                endings=", ".join(ENDINGS),
            )
        if not self.model.is_file():
            raise InvalidInput("--model: there is no file {model!r}", model=str(self.model))
        model = load_model(self.model)
        _ = model.ir
        return model

    def load(self, session: Session) -> "Table | None":
        """Read the table, and say what is doubtful in it.

        Raises
        ------
        InvalidPanel
            If anything is wrong with it.
        """
        if self.source is None:
            return None
        from pysd_runner.panel.table_reading import load_table

        table = load_table(self.source, **self._arguments())
        for problem in table.problems:
            session.warn(f"{self.source}: {problem}".replace("warning: ", ""))
        return table

    def check(self) -> "tuple[list[Problem], Table | None]":
        """List everything that is wrong with the table; with the table where it loads."""
        from pysd_runner.panel.table_reading import check_table, load_table

        problems = check_table(str(self.source), **self._arguments())
        if any(problem.severity == "error" for problem in problems):
            return problems, None
        return problems, load_table(str(self.source), **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        """Settings of `load_table`."""
        return {
            "time": self.time,
            "entity": tuple(self.entity) or None,
            "columns": pairs(self.columns, "--map"),
            "units": pairs(self.units, "--unit"),
            "time_unit": self.time_unit,
            "encoding": self.encoding,
        }


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Pairs given as ``name=value``.

    Parameters
    ----------
    texts
        As given.
    option
        Name of the option, for the message.

    Raises
    ------
    InvalidInput
        If one has no equals sign.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise InvalidInput("{option}: expected name=value, found {text!r}", option=option, text=text)
        found[name.strip()] = value.strip()
    return found


def names_of(text: str | None) -> list[str] | None:
    """Names separated by commas; a comma within brackets belongs to the name."""
    if text is None:
        return None
    found, depth, current = [], 0, ""
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += sign
    found.append(current.strip())
    return [name for name in found if name]


def refuse(given: Mapping[str, object], why: str) -> None:
    """Refuse options that have no meaning here.

    Parameters
    ----------
    given
        Their values by name; None, empty and False count as not given.
    why
        What to do.

    Raises
    ------
    InvalidInput
        If one was given.
    """
    names = [name for name, value in given.items() if value]
    if names:
        raise InvalidInput("{why}; leave {options} away", why=why, options=", ".join(names))
