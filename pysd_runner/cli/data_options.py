"""The data and the model of a command, from its options: a panel of regions, or the table of a model of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.model import Model
    from pysd_runner.panel import Data, PanelMapping, Problem

# Endings of model files.
ENDINGS = (".mdl", ".xmile", ".stmx", ".itmx", ".xml")
# Doubts about scale, which does not matter where regions are compared.
SCALE = ("no-unit", "no-population", "magnitude")

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


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a file of data is read."""

    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=NAME",
            help="What a heading of the panel means, for instance Jahr=year; repeatable.",
        ),
    ] = None
    units: Annotated[
        list[str] | None,
        typer.Option(
            "--unit", metavar="NAME=UNIT", help="Unit the panel does not give: output='100 million yuan'; repeatable."
        ),
    ] = None
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of a text file, when it is not recognised.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PanelOptions(ReadOptions):
    """How a panel of regions is read."""

    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="Mapping file (YAML) for the headings, units and regions of the panel."),
    ] = None
    regions: Annotated[
        str | None,
        typer.Option("--regions", help="Region file: code, names, class, tile; or the name of a shipped panel."),
    ] = None
    national: Annotated[Path | None, typer.Option("--national", help="File of national series.")] = None


@dataclass(frozen=True, kw_only=True)
class TableOptions(ReadOptions):
    """How the table of a model of one's own is read."""

    time: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="Own model: column of the times [default: found].")
    ] = None
    time_unit: Annotated[
        str | None,
        typer.Option(
            "--time-unit", metavar="UNIT", help="Own model: unit of the times: day, week, month, quarter, year."
        ),
    ] = None
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", metavar="COLUMN", help="Own model: column that names entities; repeatable."),
    ] = None

    @property
    def given(self) -> dict[str, object]:
        """What is said of the table, by option."""
        given = {"--map": self.columns, "--unit": self.units, "--encoding": self.encoding}
        return {**given, **self.of_tables}

    @property
    def of_tables(self) -> dict[str, object]:
        """What is said of tables alone, by option."""
        return {"--time": self.time, "--time-unit": self.time_unit, "--entity": self.entity}

    def refused(self) -> None:
        """Refuse what is said of tables alone where a panel is read."""
        refuse(self.of_tables, Message("these options go with a model that takes tables (--model mine.mdl)"))


@dataclass(frozen=True, kw_only=True)
class DataOptions(PanelOptions, TableOptions):
    """How data are read, whether a panel or a table."""

    @property
    def of_panels(self) -> dict[str, object]:
        """What is said about a panel alone, by option."""
        return {"--mapping": self.mapping, "--regions": self.regions, "--national": self.national}


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
class PanelChoice:
    """A panel and how to read it."""

    source: str  # shipped name or file
    others: Sequence[str] = ()  # files that are read with it as one panel
    options: PanelOptions = field(default_factory=PanelOptions)

    @property
    def files(self) -> tuple[str | Path, ...]:
        """What is read, whether file or shipped name; a command writes over none of it."""
        options = self.options
        given = (self.source, *self.others, options.mapping, options.regions, options.national)
        return tuple(item for item in given if item is not None)

    def load(self) -> "Data":
        """Read the panel."""
        from pysd_runner.panel import load_data

        return load_data(self._sources(), **self._arguments(), panel=True)

    def read(
        self,
        session: Session,
        *,
        first_year: int | None = None,
        last_year: int | None = None,
        regions: Sequence[str] = (),
    ) -> "Data":
        """Read the panel, and say its heaviest warning, how many it has and which regions are left out."""
        from pysd_runner.panel import with_output

        panel = self._opened(session, regions, "fit")
        if regions and set(regions) <= set(panel.codes):
            return panel
        cut = with_output(panel, first_year=first_year, last_year=last_year)
        if cut is not panel:
            session.warn(Message("{where}: {said}", where=self.source, said=cut.problems[0].message))
        return cut

    def read_to_compare(self, session: Session, *, regions: Sequence[str] = (), of: str = "fit") -> "Data":
        """Read the panel for what only compares its regions: all of them, also those that come late or end early."""
        return self._opened(session, regions, of, unsaid=SCALE)

    def _opened(self, session: Session, regions: Sequence[str], of: str, *, unsaid: Sequence[str] = ()) -> "Data":
        """Read the panel, say its heaviest warning of those that matter, and cut it to regions where it holds them."""
        from pysd_runner.panel import check_size, of_regions
        from pysd_runner.panel.problems import heaviest_first

        panel = self._loaded(session.lang)
        problems = heaviest_first(problem for problem in panel.problems if problem.rule not in unsaid)
        if problems:
            from pysd_runner.reports.panels import first_problem

            session.warn(first_problem(self.source, problems, session.lang))
        if not (regions and set(regions) <= set(panel.codes)):
            check_size(panel)
            return panel
        cut = of_regions(panel, regions)
        if cut is not panel:
            session.note(
                Message(
                    "{source}: {count} of its {all} regions, those of the {of}",
                    source=self.source,
                    count=len(cut.regions),
                    all=len(panel.regions),
                    of=Message(of),
                )
            )
        return cut

    def _loaded(self, lang: str) -> "Data":
        """Read the panel; why it cannot be read is told in the language of the reader."""
        try:
            return self.load()
        except InvalidPanel:
            if lang == "en":
                raise
            from pysd_runner.panel.problems import errors_of
            from pysd_runner.reports.panels import refusal

            problems = errors_of(self.check())
            if not problems:
                raise
            raise InvalidPanel(refusal(self.source, problems, lang)) from None

    def check(self) -> "list[Problem]":
        """List everything that is wrong with it."""
        from pysd_runner.panel import check_data

        return check_data(self._sources(), **self._arguments(), panel=True)

    def _sources(self) -> "str | list[str]":
        return [self.source, *self.others] if self.others else self.source

    def _arguments(self) -> dict[str, Any]:
        return {
            "roles": self._mapping(),
            "regions": self.options.regions,
            "national": self.options.national,
            "encoding": self.options.encoding,
            "units": pairs(self.options.units, "--unit", "output='100 million yuan'") or None,
        }

    def _mapping(self) -> "PanelMapping | Mapping[str, str] | None":
        """Mapping file with the columns of the command line on top."""
        columns = pairs(self.options.columns, "--map", "Jahr=year")
        if self.options.mapping is None:
            return columns or None
        from pysd_runner.panel import load_mapping

        read = load_mapping(self.options.mapping)
        return read.merged(columns={**read.columns, **columns})


@dataclass(frozen=True, kw_only=True, slots=True)
class TableChoice:
    """A model of one's own and the table that goes with it."""

    model: Path
    source: str | None = None  # the data; None for none
    options: TableOptions = field(default_factory=TableOptions)

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

    def load(self, session: Session) -> "Data | None":
        """Read the table, and say what is doubtful in it.

        Raises
        ------
        InvalidPanel
            If anything is wrong with it.
        """
        if self.source is None:
            return None
        from pysd_runner.panel import load_data

        table = load_data(self.source, **self._arguments())
        for problem in table.problems:
            session.warn(f"{self.source}: {problem}".replace("warning: ", ""))
        return table

    def check(self) -> "tuple[list[Problem], Data | None]":
        """List everything that is wrong with the table; with the table where it loads."""
        from pysd_runner.panel import check_data, load_data

        problems = check_data(str(self.source), **self._arguments())
        if any(problem.severity == "error" for problem in problems):
            return problems, None
        return problems, load_data(str(self.source), **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        """Settings of `load_data`; what a model of one's own takes is read as it stands."""
        options = self.options
        return {
            "time": options.time,
            "entity": tuple(options.entity or ()) or None,
            "roles": pairs(options.columns, "--map", "sick=Infected"),
            "units": pairs(options.units, "--unit", "infected=person"),
            "time_unit": options.time_unit,
            "encoding": options.encoding,
            "panel": False,
        }


def pairs(texts: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """Read ``left=right`` texts; the last sign divides, because headings may hold one."""
    found = {}
    for text in texts or ():
        left, sign, right = text.rpartition("=")
        if not (sign and left.strip() and right.strip()):
            raise InvalidInput(
                "{option} {text!r}: expected two names with = between them, as in {option} {example}",
                option=option,
                text=text,
                example=example,
            )
        found[left.strip()] = right.strip()
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
    """Refuse options that have no meaning here; None, empty and False count as not given."""
    names = [name for name, value in given.items() if value]
    if names:
        raise InvalidInput("{why}; leave {options} away", why=why, options=", ".join(names))
