"""A model file with its declarations, ready to run."""

import operator
import re
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidModel, UnknownName, UnsupportedFeature, suggest
from pysd_runner.core.paths import declarations_beside, is_there, model_file, models_folder
from pysd_runner.core.types import Texts, Values
from pysd_runner.engine import Budgets, ModelFile, load_lowered
from pysd_runner.engine.ir import (
    ARITHMETIC,
    HIDDEN,
    Axis,
    Block,
    Expression,
    ModelIr,
    Number,
    Operation,
    Table,
    Variable,
    key,
    operation,
    references,
)
from pysd_runner.published.files import equations_of
from pysd_runner.spec import ModelSpec, load_spec
from pysd_runner.spec.bindings import Bindings
from pysd_runner.spec.design import StudyDesign, design_of
from pysd_runner.spec.load import SCHEMA, schema_of
from pysd_runner.spec.own import Fact, load_own_spec, study_changes, study_sets

BUDGETS = Budgets()

# Maximum number of subscript ranges shown in the one-line description of a model.
MOST_RANGES = 4


@dataclass(frozen=True, kw_only=True, repr=False)
class Model:
    """A model file with its declarations, ready to run; it can be pickled."""

    name: str  # as declared, or the file name without its suffix
    path: Path
    sha256: str  # hash of its bytes
    spec: ModelSpec | None = None  # declarations in the folder of the file, None where there are none
    elements: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replaced: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)  # of `ranges` in the declarations
    files: Mapping[str, Path] = field(default_factory=dict)  # data files by their names in the model
    lowered: ModelIr | None = None  # the intermediate representation; None if a feature is not supported
    declared: tuple[tuple[str, float], ...] = ()  # values of declarations that are not those of the file
    budgets: Budgets = BUDGETS  # limits on its size
    unassigned: str = ""  # why it could not be lowered at all, empty otherwise
    changes: tuple[tuple[str, str], ...] = ()  # equations of change files, each with the file and line it is from

    def __repr__(self) -> str:
        if self.lowered is None:
            return f"<Model {self.name!r}, not covered by this engine>"
        sizes = [f"{name} ({len(items)})" for name, items in self.ranges.items()]
        over = f" over {', '.join(sizes[:MOST_RANGES])}{', ...' if len(sizes) > MOST_RANGES else ''}" if sizes else ""
        return f"<Model {self.name!r}, {len(self.variables)} variables{over}>"

    @property
    def ir(self) -> ModelIr:
        """The intermediate representation; raises `UnsupportedFeature` if there is none."""
        if self.lowered is None:
            raise UnsupportedFeature(self.unassigned)
        return self.lowered

    @property
    def bindings(self) -> Bindings:
        """Bindings of a regional model: the roles of its variables and ranges."""
        return self.declarations.bound

    @property
    def declarations(self) -> ModelSpec:
        """Declarations of the model; empty if it has none."""
        return self.spec or ModelSpec(name=self.name)

    @property
    def source(self) -> str:
        """Argument with which `load_model` loads the model again: name of a shipped model, or path of the file."""
        return self.name if self.path.parent == models_folder() / self.name else str(self.path.absolute())

    @cached_property
    def design(self) -> StudyDesign:
        """Settings of a study of the model, such as what is taken from data and what is shown."""
        return design_of(self.spec)

    def with_regions(self, regions: int | Sequence[str]) -> "Model":
        """The model with the same file and declarations, but with other regions."""
        found = _sized(self.path, self.sha256, self.declared, len(region_keys(regions)), tuple(self.files.items()))
        return replace(found, spec=self.spec, name=self.name)

    def changed(self, equations: Sequence[tuple[str, str]]) -> ModelIr:
        """The intermediate representation with more equations replaced, each given with its file and line."""
        elements = {**self.elements, **self.replaced}
        found = load_lowered(self.path, elements, self.files, self.budgets, (*self.changes, *equations)).model
        return self.ir if found is None else _with_declared(found, dict(self.declared))

    @property
    def ranges(self) -> Mapping[str, tuple[str, ...]]:
        """Subscript ranges with their elements."""
        return {name: items for name, items in self.ir.ranges.items() if HIDDEN not in name}

    @property
    def variables(self) -> Mapping[str, Variable]:
        """All variables of the file by name, in the order of the file."""
        return {name: item for name, item in self.ir.variables.items() if not item.hidden}

    @property
    def file(self) -> ModelFile:
        """The model file, with its hash and data files."""
        return ModelFile(self.path, self.sha256, self.files)

    def find(self, name: str) -> str:
        """Name of a variable as in the file, from its name in any case or its key in the declarations."""
        if not isinstance(name, str):
            raise InvalidInput("a variable is named by a text; found {name!r}", name=name)
        if name in self.ir.variables:
            return name
        known = {key(item): item for item, found in self.ir.variables.items() if not found.hidden}
        if key(name) in known:
            return known[key(name)]
        declared = _declared(self.spec)
        if declared.get(name) in self.ir.variables:
            return declared[name]
        raise UnknownName(
            "{model} has no variable {variable!r}.{suggestion}",
            model=self.path.name,
            variable=name,
            among=[*self.variables, *declared],
        )

    def by_variable(self, values: Values) -> dict[str, Any]:
        """Values by the names of variables in the file."""
        if hasattr(values, "items") and not isinstance(values, Mapping):
            # A series of pandas by name, or a data frame with a column for each and a row for each draw.
            values = {name: np.asarray(item) for name, item in values.items()}
        if not isinstance(values, Mapping):
            raise InvalidInput("values are a mapping from variables to numbers; found {values!r}", values=values)
        spelled: dict[str, str] = {}
        for name in values:
            found = self.find(name)
            if found in spelled:
                raise InvalidInput(
                    "{found!r} is given twice, as {first!r} and as {name!r}; give it once",
                    found=found,
                    first=spelled[found],
                    name=name,
                )
            spelled[found] = name
        return {found: values[name] for found, name in spelled.items()}


def _declared(spec: ModelSpec | None) -> Texts:
    if spec is None:
        return {}
    groups = (spec.inputs, spec.parameters, spec.outcomes)
    return {name: item.variable for group in groups for name, item in group.items() if item.variable}


def load_model(
    name: str | Path,
    *,
    regions: int | Sequence[str] | None = None,
    files: Mapping[str, str | Path] | None = None,
    changes: Sequence[str | Path] = (),
    data: str | Path | Sequence[str | Path] = (),
    budgets: Budgets = BUDGETS,
) -> Model:
    """Load a shipped model or any Vensim or XMILE file, with its declarations; no code in the file is executed.

    The only output is the lowered model in the user's cache folder: a file that was loaded before is not parsed again,
    unless it or one of its data files has changed. The environment variable ``GAPSIM_CACHE`` sets another cache folder;
    ``off`` disables caching.

    Parameters
    ----------
    name
        Name of a shipped model, for instance ``"regional_digital"``, a path to an ``.mdl`` or XMILE file, or a folder
        with a ``model.mdl``. Declarations are read from the ``.toml`` file of the same name in its folder.
    regions
        Number of regions, or a sequence with one entry per region; None keeps the list in the file. The model uses
        generated keys R001, R002, ...; region names are labels of the panel.
    files
        Paths of data files by their names in the model, for instance ``{"?data": "observed.xlsx"}`` for a name that is
        set in Vensim. Other data files are read from the folder of the model; files outside of it, also through links,
        are read only with the environment variable ``GAPSIM_OUTSIDE=1``.
    changes
        Change files, ``.cin`` or ``.out``, whose constants, tables, texts and times replace those of the file, in
        order, after those of ``[study] changes`` in the declarations.
    data
        Data sets with series for data variables: ``.dat``, ``.tab``, ``.csv``, ``.xlsx``, ``.vdf`` or ``.vdfx``. Of
        several that have a series the last counts, and all of them count before those of ``[study] sets`` in the
        declarations.
    budgets
        Limits on the size of the model, checked before anything is computed.

    Returns
    -------
    Model
        The model with its declarations, if there are any.

    Raises
    ------
    InvalidModel
        If the file cannot be read.
    UnknownName
        If there is no such shipped model, or the file has no range of regions to replace.
    InvalidInput
        If fewer than one region is requested, the model does not read one of `files`, there is no such data set, or a
        change file cannot be read or names what the model does not have.
    """
    if not isinstance(name, str | Path):
        raise InvalidInput("a model is a name or a path; found {name!r}", name=name)
    path = model_file(name)
    beside = declarations_beside(path)
    spec = load_spec(beside) if is_there(beside) and schema_of(beside) == SCHEMA else None
    label = path.stem if spec is None else spec.name
    design = design_of(spec)
    elements = {} if regions is None else {design.ranges.region: region_keys(regions)}
    is_own = spec is None and is_there(beside)
    bound, ranges = study_sets(beside) if is_own else ([], {})
    places = {name: Path(place).absolute() for name, place in (files or {}).items()}
    sets = [Path(place).absolute() for place in (*bound, *([data] if isinstance(data, str | Path) else data))]
    listed = study_changes(beside) if is_own else []
    equations = tuple(item for file in (*listed, *changes) for item in equations_of(file))
    found, declared = load_lowered(path, {**elements, **ranges}, places, budgets, equations, sets), {}
    if found.model is not None:
        _check_bound(design, found.model, beside)
    if spec is None and found.model is not None and is_there(beside):
        units = {item.name: item.unit for item in found.model.variables.values() if not item.hidden}
        facts = facts_of(found.model)
        spec = load_own_spec(beside, facts, units)
        declared = {name: item.value for name, item in spec.parameters.items() if item.value != facts[name].value}
        found = replace(found, model=_with_declared(found.model, declared))
    if spec is not None and found.model is not None:
        _check_loops(spec, found.model, beside.name)
    return Model(
        name=label,
        path=found.path,
        sha256=found.sha256,
        spec=spec,
        elements=elements,
        replaced=ranges,
        files=found.files,
        lowered=found.model,
        declared=tuple(declared.items()),
        budgets=budgets,
        unassigned=found.unassigned,
        changes=equations,
    )


def _with_declared(model: ModelIr, moved: Mapping[str, float]) -> ModelIr:
    """Copy of a model with the values that declarations give to numbers of the file."""
    facts, variables = facts_of(model), dict(model.variables)
    for name in {facts[item].variable for item in moved}:
        item = variables[name]
        values = np.array([(fact.value, moved.get(fact.name, fact.value)) for fact in _facts(model, item)], dtype=float)
        old, new = values.T.reshape(2, *model.shape(item.dims))
        variables[name] = replace(item, blocks=tuple(_with_values(block, old, new) for block in item.blocks))
    return replace(model, variables=variables, fingerprint=f"{model.fingerprint} with {moved}") if moved else model


def _with_values(block: Block, old: np.ndarray, new: np.ndarray) -> Block:
    """Copy of a block with the new values of its variable; those not in the file (NaN) stay computed."""
    where = np.ix_(*(item.places(size) for item, size in zip(block.index, new.shape, strict=True)))
    part = new[where]
    if np.array_equal(part, old[where], equal_nan=True):
        return block
    shape = tuple(size for size, item in zip(part.shape, block.index, strict=True) if isinstance(item, Axis))

    def literal(values: np.ndarray) -> Expression:
        flat = tuple(values.astype(float).ravel().tolist())
        return Table(flat, shape, block.axes) if shape else Number(flat[0])

    role = "expression" if block.initial is None else "initial"
    unknown = np.isnan(part)
    known = literal(np.nan_to_num(part))
    found = operation("where", literal(unknown), getattr(block, role), known) if unknown.any() else known
    text = f"{block.text} (declared: {', '.join(map(str, part.ravel()))})"
    return replace(block, text=text, **{role: found})  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def _sized(path: Path, sha256: str, declared: object, regions: int, files: tuple[tuple[str, Path], ...]) -> Model:
    """Load a model again with other regions; cached by path, hash of the file and declared values."""
    found = load_model(path, regions=regions, files=dict(files))
    if (found.sha256, found.declared) != (sha256, declared):
        raise InvalidModel(
            "{path}, or what is declared beside it, has changed since the model was loaded; load the model again",
            path=path,
        )
    return found


def _check_bound(design: StudyDesign, model: ModelIr, declarations: Path) -> None:
    """Raise `InvalidModel` for bindings to variables or ranges that the file does not have."""
    known = {name for name, item in model.variables.items() if not item.hidden}
    for name in design.bound:
        if name not in known:
            near = suggest(name, known)
            raise InvalidModel(
                "{name}: bindings or regional_outcomes: the model has no variable {other_name!r}.{near}",
                name=declarations.name,
                other_name=name,
                near=near,
            )
    for name in design.axes:
        if name not in model.ranges:
            raise InvalidModel(
                "{name}: bindings.ranges: the model has no range {other_name!r}.{suggestion}",
                name=declarations.name,
                other_name=name,
                suggestion=suggest(name, model.ranges),
            )


def _check_loops(spec: ModelSpec, model: ModelIr, file: str) -> None:
    """Raise `InvalidModel` for a declared path that is no loop of the model."""
    known = {key(name): name for name, item in model.variables.items() if not item.hidden}
    for loop in spec.loops.values():
        place = f'{file}: loops["{loop.key}"].path'
        if not loop.path:
            raise InvalidModel("{place} is empty; it lists the variables of a loop", place=place)
        ways = [[known.get(key(name), name) for name in either.split("|")] for either in loop.path]
        for name in (name for either in ways for name in either if name not in known.values()):
            near = suggest(name, known.values())
            raise InvalidModel("{place}: the model has no variable {name!r}.{near}", place=place, name=name, near=near)
        needs = {name: inputs_to(model, name) for either in ways for name in either}
        chains = [[name] for name in ways[-1]]
        for before, either in zip([ways[-1], *ways], ways, strict=False):
            chains = [[*chain, name] for chain in chains for name in either if chain[-1] in needs[name]]
            if either is ways[-1]:
                chains = [chain for chain in chains if chain[0] == chain[-1]]
            for name in either:
                if not any(chain[-1] == name for chain in chains):
                    raise InvalidModel(
                        "{place}: {name!r} does not depend on {before}; a path lists the variables of a loop in the "
                        "order of their links, and the last one acts on the first",
                        place=place,
                        before=" | ".join(map(repr, before)),
                        name=name,
                    )


def inputs_to(model: ModelIr, name: str) -> set[str]:
    """Variables of the file that a variable depends on, directly or through what is generated for delays."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for block in model.variables[waiting.pop()].blocks:
            new = references(block.expression) - found
            found |= new
            waiting += [item for item in new if model.variables[item].hidden]
    return found


def region_keys(regions: int | Sequence[str]) -> tuple[str, ...]:
    """Generate the keys of regions, from their number or from a sequence with one entry each.

    >>> region_keys(2)
    ('R001', 'R002')
    """
    if isinstance(regions, str):
        raise InvalidInput("regions are a number, or one entry per region; found the text {regions!r}", regions=regions)
    try:
        count = operator.index(regions)  # type: ignore[arg-type]
    except TypeError:
        if not isinstance(regions, Sized):
            raise InvalidInput(
                "regions are a whole number, or one entry per region; found {regions!r}", regions=regions
            ) from None
        count = len(regions)
    if count < 1:
        raise InvalidInput("a model needs at least one region; {count} were asked for", count=count)
    width = max(3, len(str(count)))
    return tuple(f"R{number:0{width}d}" for number in range(1, count + 1))


def facts_of(model: ModelIr) -> dict[str, Fact]:
    """Value, unit, label and limits in the file of every number that can be a parameter."""
    found: dict[str, Fact] = {}
    for variable in model.variables.values():
        if not variable.hidden and variable.kind in ("constant", "stock"):
            found |= {fact.name: fact for fact in _facts(model, variable)}
    return found


# Words in a name that indicate a share, whose value is between 0 and 1.
_SHARE = re.compile(r"\b(?:share|fraction|percentage|proportion|probability|percent)s?\b", re.IGNORECASE)


def is_share(variable: Variable) -> bool:
    """Whether a variable has no unit and is called a share, so that it lies between 0 and 1."""
    is_plain = variable.unit.casefold() in ("", "1", "dmnl", "dimensionless", "fraction")
    return is_plain and _SHARE.search(variable.name.replace("_", " ")) is not None


def _facts(model: ModelIr, variable: Variable) -> Iterator[Fact]:
    values = _values(model, variable)
    for position in np.ndindex(values.shape):
        labels = ", ".join(model.ranges[dim][place] for dim, place in zip(variable.dims, position, strict=True))
        number, doc = values[position], " ".join(variable.doc.split()).removesuffix(".")
        yield Fact(
            name=f"{variable.name}[{labels}]" if labels else variable.name,
            variable=variable.name,
            value=None if np.isnan(number) else float(number),
            unit=variable.unit,
            label=f"{doc}: {labels}" if doc and labels else doc,
            limits=(0.0, 1.0) if not variable.limits and 0 <= number <= 1 and is_share(variable) else variable.limits,
        )


def _values(model: ModelIr, variable: Variable) -> np.ndarray:
    """Literal values of a variable, NaN where the value is computed."""
    values = np.full(model.shape(variable.dims), np.nan)
    for block in variable.blocks:
        expression = block.initial if variable.kind == "stock" else block.expression
        literal = None if expression is None else _literal(expression)
        if literal is not None:
            _enter(values, block, literal)
    return values


def _literal(expression: Expression) -> np.ndarray | None:
    if isinstance(expression, Number):
        return np.array(expression.value)
    if isinstance(expression, Table):
        return np.array(expression.values).reshape(expression.shape)
    if isinstance(expression, Operation) and expression.name in ARITHMETIC:
        parts = [_literal(item) for item in expression.arguments]
        with np.errstate(divide="ignore", invalid="ignore"):
            return None if any(item is None for item in parts) else ARITHMETIC[expression.name](*parts)
    return None


def _enter(values: np.ndarray, block: Block, literal: np.ndarray) -> None:
    where = [item.places(size) for item, size in zip(block.index, values.shape, strict=True)]
    moved = tuple(len(places) for places, item in zip(where, block.index, strict=True) if isinstance(item, Axis))
    if literal.shape == ():
        values[np.ix_(*where)] = literal
    elif literal.shape == moved:
        values[np.ix_(*where)] = literal.reshape([len(places) for places in where])
