"""Build observed series from declared measurements and a panel, and the expressions of model variables they observe."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from calibration.observation.series import FILLED_IN, Series, in_terms, never_changes, to_scale
from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.data import Data
from pysd_runner.model import Model
from pysd_runner.simulation.run import located
from pysd_runner.spec import Measurement, ModelSpec

Array = NDArray[np.float64]

# A yearly log change of population is taken for a census revision if it differs from the median of the AROUND years
# before and after by more than RECOUNTED and by more than USUAL_DEPARTURES times the region's median difference:
# births, deaths and migration rarely change a population so much in a single year. Chosen by judgement.
RECOUNTED, USUAL_DEPARTURES, AROUND = 0.015, 5.0, 2
# Dimensions of regional series.
REGIONS = ("region",)


@dataclass(frozen=True, slots=True)
class Absent:
    """A declared measurement that this panel has no usable data for."""

    measurement: str  # key of the measurement
    indicator: str  # name of the panel variable or national series
    why: str  # reason, phrased as a clause

    def __str__(self) -> str:
        return Message(
            "{measurement} ({indicator}): {why}", measurement=self.measurement, indicator=self.indicator, why=self.why
        )


def build_series(
    spec: ModelSpec, panel: Data, *, first_year: int, last_year: int
) -> tuple[tuple[Series, ...], tuple[Absent, ...]]:
    """Build the observed series from the first year, which gives no residual, to the last; list those that are absent.

    Both lists are in the order of the declarations.
    If the panel contains the outcome itself (a variable named like the outcome's key), it is used in addition to its
    indicators, with loading 1 and in levels; its declared error is the measurement's divided by the declared loading.
    """
    window = tuple(range(first_year, last_year + 1))
    found = [item for declared in spec.measurements.values() for item in _of_measurement(spec, declared, panel, window)]
    series = tuple(item for item in found if isinstance(item, Series))
    return series, tuple(item for item in found if isinstance(item, Absent))


def _of_measurement(
    spec: ModelSpec, measurement: Measurement, panel: Data, window: tuple[int, ...]
) -> Iterator[Series | Absent]:
    if measurement.requires and measurement.requires not in panel:
        for indicator in measurement.indicators:
            yield Absent(
                measurement.key, indicator, Message("needs {what!r}, which the panel lacks", what=measurement.requires)
            )
        return
    if measurement.national:
        yield _national(measurement, panel, window)
        return
    for indicator in measurement.indicators:
        yield _regional(measurement, indicator, panel, window)
    share = share_of(spec, measurement)
    if share and share in panel:
        sd = measurement.sd / spec.parameters[measurement.loading].value
        yield _series(measurement, share, window, _columns(panel, share, window), sd=sd, direct=True)


def _national(measurement: Measurement, panel: Data, window: tuple[int, ...]) -> Series | Absent:
    if measurement.national not in panel.national:
        return Absent(measurement.key, measurement.national, Message("no such national series beside the panel"))
    known: Mapping[int, float] = panel.national[measurement.national]
    values = np.array([[known.get(year, np.nan) for year in window]], dtype=float)
    return _series(measurement, measurement.national, window, values, sd=measurement.sd)


def _regional(measurement: Measurement, indicator: str, panel: Data, window: tuple[int, ...]) -> Series | Absent:
    if indicator not in panel:
        return Absent(measurement.key, indicator, Message("not in the panel"))
    if measurement.relative and len(panel.regions) < 2:
        return Absent(
            measurement.key, indicator, Message("compares regions, and there is only one; add at least a second")
        )
    raw = _columns(panel, indicator, window)
    joints = recounts(panel, window) if measurement.increments else None
    return _series(measurement, indicator, window, raw, sd=measurement.sd, joints=joints)


def recounts(panel: Data, years: tuple[int, ...]) -> NDArray[np.bool_]:
    """Find years in which a region's population was revised by a census, shape (region, year)."""
    # A census can revise population, and so output per head, by several percent in one year, but not in the next,
    # which looks like growth that reverses. Such changes are excluded from the comparison. Fast growth, or its end, is
    # not flagged, since the change is close to those of the neighbouring years.
    found = np.zeros((len(panel.regions), len(years)), dtype=bool)
    if "population" not in panel or len(years) < 2:
        return found
    changes = np.diff(to_scale(_columns(panel, "population", years), "log"), axis=1)
    ends = ((0, 0), (AROUND, AROUND))
    near = sliding_window_view(np.pad(changes, ends, constant_values=np.nan), 2 * AROUND + 1, axis=1)
    departures = np.abs(changes - _median(near))
    found[:, 1:] = departures > np.maximum(RECOUNTED, USUAL_DEPARTURES * _median(departures)[:, None])
    return found


def _median(values: Array) -> Array:
    """Median of the finite values along the last axis; NaN where there are none."""
    found = np.full(values.shape[:-1], np.nan)
    known = np.isfinite(values).any(axis=-1)
    found[known] = np.nanmedian(values[known], axis=-1)
    return found


def share_of(spec: ModelSpec, measurement: Measurement) -> str:
    """Name that a panel variable with the outcome itself would have: the outcome's key; empty if there is none."""
    if not measurement.loading:
        return ""
    keys = [key for key, outcome in spec.outcomes.items() if outcome.variable == measurement.outcome]
    return keys[0] if keys and keys[0] not in measurement.indicators else ""


def _columns(panel: Data, variable: str, window: tuple[int, ...]) -> Array:
    values = np.full((len(panel.regions), len(window)), np.nan)
    known = {year: column for column, year in enumerate(panel.years)}
    for place, year in enumerate(window):
        if year in known:
            values[:, place] = panel.array(variable)[:, known[year]]
    return values


def _series(
    measurement: Measurement,
    name: str,
    window: tuple[int, ...],
    raw: Array,
    *,
    sd: float,
    direct: bool = False,
    joints: NDArray[np.bool_] | None = None,
) -> Series | Absent:
    national = bool(measurement.national)
    relative = measurement.relative and not direct
    increments = measurement.increments and not direct
    logs = raw if national else to_scale(raw, "log")
    values, seen = _terms(logs, relative=relative, increments=increments, joints=joints)
    if not seen[:, 1:].any():
        why = Message(
            "no {change} to compare after {year} and until {last}",
            change=Message("change from one year to the next") if increments else Message("value"),
            year=window[0],
            last=window[-1],
        )
        return Absent(measurement.key, name, why)
    if never_changes(logs):
        return Absent(measurement.key, name, FILLED_IN)
    if relative and not np.nan_to_num(values).any():
        return Absent(measurement.key, name, Message("the regions never differ, so there is nothing to compare"))
    return Series(
        measurement=measurement.key,
        indicator=name,
        expression=variable_itself(measurement.outcome, () if national else REGIONS),
        scale="level" if national else "log",
        loading="" if direct else measurement.loading,
        relative=relative,
        increments=increments,
        declared_sd=sd,
        times=np.array(window, dtype=float),
        values=values,
        missing=int((~seen[:, 1:]).sum()),
        errors=measurement.errors,
        unusable=int((np.isfinite(raw) & ~np.isfinite(logs)).sum()),
        recounted=0 if joints is None else int(joints[:, 1:].sum()),
    )


def _terms(
    logs: Array, *, relative: bool, increments: bool, joints: NDArray[np.bool_] | None
) -> tuple[Array, NDArray[np.bool_]]:
    seen = np.isfinite(logs)
    if increments:
        seen = seen & np.concatenate([np.zeros_like(seen[:, :1]), seen[:, :-1]], axis=1)
    if joints is not None:
        seen = seen & ~joints
    if relative:
        # With a single region in a year there is no difference between regions.
        seen = seen & (seen.sum(axis=0) > 1)
    return in_terms(logs, seen, relative=relative, increments=increments), seen


# A value and its derivatives (extra trailing axis), or None if constant.
Dual = tuple[Array, Array | None]

_BRACKETS = r"(?:\s*\[[^\[\]]*\])?"


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula of model variables."""

    text: str
    variables: tuple[str, ...]
    dims: tuple[str, ...]
    _tree: ast.expr
    _places: Mapping[str, tuple[str, tuple[int, ...] | None]]
    _is_array: Mapping[str, bool]

    @property
    def read(self) -> tuple[tuple[str, tuple[int, ...] | None], ...]:
        """The variables in the formula, each with the index of its element, None for all elements."""
        return tuple(self._places.values())

    def value(self, outcomes: Mapping[str, Array]) -> Array:
        """Value of the expression."""
        return _evaluated(self._tree, lambda name: (self._picked(name, outcomes, lead=1), None))[0]

    def linearised(self, outcomes: Mapping[str, Array], slopes: Mapping[str, Array]) -> tuple[Array, Array]:
        """Value of the expression and its derivatives."""
        value, moved = _evaluated(
            self._tree, lambda name: (self._picked(name, outcomes, lead=0), self._picked(name, slopes, lead=0))
        )
        if moved is None:
            count = next(iter(slopes.values())).shape[-1]
            return value, np.zeros((*value.shape, count))
        return value, moved

    def _picked(self, name: str, arrays: Mapping[str, Array], *, lead: int) -> Array:
        variable, position = self._places[name]
        array = arrays[variable]
        if position is not None:
            array = array[(slice(None),) * lead + position]
        is_single = position is not None or not self._is_array[variable]
        # A scalar is broadcast over all elements.
        return array[(slice(None),) * lead + (None,) * len(self.dims)] if is_single else array


def variable_itself(name: str, dims: tuple[str, ...] = ()) -> Expression:
    """Expression for all elements of a single variable."""
    return Expression(name, (name,), dims, ast.Name("v0"), {"v0": (name, None)}, {name: bool(dims)})


def expression_of(model: Model, text: str) -> Expression:
    """Parse a variable, an element of one, or a formula of model variables."""
    try:
        variable, position = located(model, text)
    except UnknownName:
        return _formula(model, text)
    _refuse_table(model, variable)
    dims = model.ir.variables[variable].dims if position is None else ()
    is_array = {variable: bool(model.ir.variables[variable].dims)}
    return Expression(text, (variable,), dims, ast.Name("v0"), {"v0": (variable, position)}, is_array)


def _refuse_table(model: Model, variable: str) -> None:
    if model.ir.variables[variable].kind == "lookup":
        raise InvalidInput("{variable!r} is a table function and has no value of its own", variable=variable)


def _formula(model: Model, text: str) -> Expression:
    names = sorted(model.variables, key=len, reverse=True)
    spellings = "|".join(r"[\s_]+".join(map(re.escape, re.split(r"[\s_]+", name))) for name in names)
    pattern = re.compile(rf"(?<![\w])\"?(?:{spellings})\"?(?![\w]){_BRACKETS}", re.IGNORECASE)
    places: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    def replaced(match: re.Match[str]) -> str:
        name = f"v{len(places)}"
        places[name] = located(model, match[0].replace('"', "").strip())
        return f" {name} "

    plain = pattern.sub(replaced, text)
    if not places:
        raise UnknownName(
            "{model} has no variable {variable!r}.{suggestion}",
            model=model.path.name,
            variable=text,
            suggestion=suggest(text, model.variables),
        )
    try:
        tree = ast.parse(plain.replace("^", "**").strip(), mode="eval").body
    except SyntaxError as error:
        raise InvalidInput("{text!r} is no formula of model variables: {error}", text=text, error=error.msg) from error
    _check(tree, places, text)
    dims = {model.ir.variables[variable].dims if place is None else () for variable, place in places.values()} - {()}
    if len(dims) > 1:
        raise InvalidInput(
            "{text!r}: its variables run over different subscripts: {dims}", text=text, dims=sorted(dims)
        )
    for variable, _ in places.values():
        _refuse_table(model, variable)
    variables = tuple(dict.fromkeys(variable for variable, _ in places.values()))
    is_array = {name: bool(model.ir.variables[name].dims) for name in variables}
    return Expression(text, variables, dims.pop() if dims else (), tree, places, is_array)


_BINARY: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def _check(tree: ast.expr, places: Mapping[str, object], text: str) -> None:
    if isinstance(tree, ast.BinOp) and type(tree.op) in _BINARY:
        _check(tree.left, places, text)
        _check(tree.right, places, text)
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        _check(tree.operand, places, text)
    elif isinstance(tree, ast.Name):
        if tree.id not in places:
            raise InvalidInput(
                "{text!r}: {name!r} is no variable of the model.{suggestion}",
                text=text,
                name=tree.id,
                suggestion=suggest(tree.id, []),
            )
    elif not (isinstance(tree, ast.Constant) and isinstance(tree.value, int | float)):
        raise InvalidInput(
            "{text!r} is no formula of model variables; sums, products, ratios and powers are", text=text
        )


def _evaluated(tree: ast.expr, read: Callable[[str], Dual]) -> Dual:
    if isinstance(tree, ast.Name):
        return read(tree.id)
    if isinstance(tree, ast.Constant):
        return np.asarray(float(tree.value)), None  # type: ignore[arg-type]
    if isinstance(tree, ast.UnaryOp):
        value, moved = _evaluated(tree.operand, read)
        return -value, None if moved is None else -moved
    assert isinstance(tree, ast.BinOp)  # noqa: S101
    left, right = _evaluated(tree.left, read), _evaluated(tree.right, read)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _combined(_BINARY[type(tree.op)], left, right)


def _combined(sign: str, left: Dual, right: Dual) -> Dual:
    (a, da), (b, db) = left, right
    if sign == "+":
        return a + b, _sum(da, 1.0, db, 1.0)
    if sign == "-":
        return a - b, _sum(da, 1.0, db, -1.0)
    if sign == "*":
        return a * b, _sum(da, b, db, a)
    if sign == "/":
        return a / b, _sum(da, 1 / b, db, -a / b**2)
    value = a**b
    return value, _sum(da, b * a ** (b - 1), db, value * np.log(a) if db is not None else 0.0)


def _sum(da: Array | None, wa: Array | float, db: Array | None, wb: Array | float) -> Array | None:
    parts = [np.asarray(w)[..., None] * d for w, d in ((wa, da), (wb, db)) if d is not None]
    return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]
