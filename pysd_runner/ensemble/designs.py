"""Designs of ensembles: parameter values, one row per draw."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Arrays, Interval, Record, Values, frozen
from pysd_runner.engine.memory import check_memory
from pysd_runner.engine.validation import check_integer
from pysd_runner.model import Model
from pysd_runner.simulation.run import element_name, located

if TYPE_CHECKING:
    import pandas as pd

# Ranges by parameter: (low, high), a distribution, or None for the bounds in the declarations or the model file.
Ranges = Values | Sequence[str]

# Designs whose draws can be generated block by block.
PartMethod = Literal["sobol", "random"]

# Copies of a design in memory while it is made (measured: 4).
COPIES = 4

# Maximum number of grid points: more are probably a mistake, and would not fit into memory.
MOST_POINTS = 100_000_000

# Distance from 0 and 1 that keeps quantiles of unbounded distributions finite; below the spacing of draws from [0, 1).
_EDGE = 2.0**-54


class UnbalancedDesign(UserWarning):
    """The length of a Sobol sequence is not a power of two, so that it is not balanced."""


class NoBounds(InvalidInput):
    """Neither the caller nor the model gives bounds for a parameter."""

    def __init__(self, name: str) -> None:
        super().__init__("the model declares no bounds of {name!r}; give them: {{{name!r}: (low, high)}}", name=name)
        self.name = name


@frozen(eq=False)
class Design:
    """Values of parameters, one row per draw.

    Parameters
    ----------
    names
        Names of the parameters in the model file; a single element is written ``contact rate[young]``.
    values
        Shape (draw, parameter), each column in the unit of its parameter; read-only.
    made
        How the design was generated, in strings, numbers and lists.

    Raises
    ------
    InvalidInput
        If there is no draw, a name is repeated, or a value is not a finite number.
    """

    names: tuple[str, ...]
    values: Array
    made: Record = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = _numbers(self.values, Message("the design"))
        if values.ndim != 2 or values.shape[1] != len(self.names) or not values.shape[0]:
            raise InvalidInput(
                "a design needs one row per draw and a column for each of {count} parameters; found shape {shape}",
                count=len(self.names),
                shape=values.shape,
            )
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise InvalidInput("{name!r} is in the design twice; name each parameter once", name=twice[0])
        wrong = np.argwhere(~np.isfinite(values))
        if wrong.size:
            draw, column = (int(place) for place in wrong[0])
            raise InvalidInput(
                "{name!r} is {value} in draw {draw}; expected finite numbers",
                name=self.names[column],
                value=values[draw, column],
                draw=draw,
            )
        values = values.copy() if values.flags.writeable else values
        values.setflags(write=False)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def cases(self) -> Arrays:
        """Values by parameter, shape (draw,)."""
        return {name: self.values[:, column] for column, name in enumerate(self.names)}

    def to_frame(self) -> "pd.DataFrame":
        """The design as a table: one row per draw, one column per parameter."""
        import pandas as pd

        return pd.DataFrame(self.values, columns=list(self.names), index=pd.RangeIndex(len(self), name="draw"))


def latin_hypercube(model: Model, ranges: Ranges, draws: int, *, seed: int = 0) -> Design:
    """Latin hypercube sample: every parameter is drawn once from each of `draws` intervals of equal probability.

    Parameters
    ----------
    model
        The model whose parameters are drawn.
    ranges
        By parameter: ``(low, high)``, a frozen distribution of ``scipy.stats``, or None for the bounds the model
        declares or, failing that, its file gives after the unit, as in ``~ Dmnl [0,1]``; a sequence of names uses
        these bounds for all. One range for a subscripted parameter varies all its elements together;
        ``contact rate[young]`` varies one element, and the others keep the values in the model file.
    draws
        Number of draws.
    seed
        Random seed, a non-negative integer. Each parameter has its own random stream, so that adding one leaves the
        values of the others unchanged.

    Returns
    -------
    Design
        Shape (draw, parameter).

    Raises
    ------
    UnknownName
        If the model has no such parameter.
    InvalidInput
        If a range, `draws` or `seed` is invalid.
    """
    laws, seed = _laws(model, ranges), check_integer("seed", seed, least=0)
    draws = _counted(draws, ranges)
    columns = []
    for name in laws:
        stream = _stream(seed, name)
        slices = stream.permutation(draws)
        columns.append((slices + stream.random(draws)) / draws)
    return _design(laws, np.stack(columns, axis=1), "Latin hypercube", seed)


def sobol(model: Model, ranges: Ranges, draws: int, *, seed: int = 0) -> Design:
    """Scrambled Sobol sequence: points that fill the space more evenly than random ones.

    Parameters
    ----------
    model, ranges
        As in `latin_hypercube`, which raises the same errors.
    draws
        Number of draws, preferably a power of two.
    seed
        Seed of the scrambling, a non-negative integer.

    Returns
    -------
    Design
        Shape (draw, parameter).

    Warns
    -----
    UnbalancedDesign
        If `draws` is not a power of two.
    """
    draws, seed = _counted(draws, ranges), check_integer("seed", seed, least=0)
    warn_unbalanced(draws)
    return drawn_part(model, "sobol", ranges, slice(0, draws), seed=seed)


def _counted(draws: int, ranges: Ranges) -> int:
    """Number of draws of a design, which memory must hold."""
    draws = check_integer("draws", draws, least=1)
    check_memory(
        8 * COPIES * draws * len(ranges),
        Message("the design"),
        Message("take fewer draws ({draws})", draws=draws),
    )
    return draws


def warn_unbalanced(draws: int) -> None:
    """Warn if `draws` is not a power of two, so that a Sobol sequence is not balanced."""
    if draws & (draws - 1):
        below = 1 << (draws.bit_length() - 1)
        warnings.warn(
            Message(
                "{draws} draws of a Sobol sequence are no power of two and not balanced; take {below} or {above}",
                draws=draws,
                below=below,
                above=2 * below,
            ),
            UnbalancedDesign,
            stacklevel=3,
        )


def _sobol_points(parameters: int, part: slice, seed: int) -> Array:
    """Consecutive points `part` of a scrambled Sobol sequence, shape (point, parameter)."""
    from scipy.stats import qmc

    most = qmc.Sobol.MAXDIM
    if parameters > most:
        raise InvalidInput(
            "a Sobol sequence has at most {most} parameters; found {parameters}", most=most, parameters=parameters
        )
    sequence = qmc.Sobol(parameters, seed=np.random.default_rng([seed, parameters]))
    if part.start:
        sequence.fast_forward(part.start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # replaced by the warning of `warn_unbalanced`
        return sequence.random(part.stop - part.start)


def drawn_part(model: Model, method: PartMethod, ranges: Ranges, part: slice, *, seed: int) -> Design:
    """Consecutive draws `part` of a design, without generating those before them."""
    laws = _laws(model, ranges)
    if method == "sobol":
        return _design(laws, _sobol_points(len(laws), part, seed), "Sobol", seed)
    shares = []
    for name in laws:
        stream = _stream(seed, name)
        # Each number from [0, 1) takes one step of the generator, so that earlier draws can be skipped.
        stream.bit_generator.advance(part.start)  # type: ignore[attr-defined]
        shares.append(stream.random(part.stop - part.start))
    return _design(laws, np.stack(shares, axis=1), "random draws", seed)


def random_draws(model: Model, ranges: Ranges, draws: int, *, seed: int = 0) -> Design:
    """Independent draws of every parameter from its own distribution.

    Parameters
    ----------
    model, seed
        As in `latin_hypercube`, which raises the same errors.
    ranges
        By parameter: ``(low, high)`` for a uniform distribution, a frozen distribution of ``scipy.stats``, or None for
        a uniform distribution between the bounds the model declares.
    draws
        Number of draws; increasing it keeps the earlier draws.

    Returns
    -------
    Design
        Shape (draw, parameter).
    """
    draws, seed = _counted(draws, ranges), check_integer("seed", seed, least=0)
    return drawn_part(model, "random", ranges, slice(0, draws), seed=seed)


def grid(model: Model, levels: Values) -> Design:
    """Full factorial design: every combination of the levels; the last parameter varies fastest.

    Parameters
    ----------
    model
        The model whose parameters are varied.
    levels
        Values by parameter, shape (level,).

    Returns
    -------
    Design
        Shape (draw, parameter).

    Raises
    ------
    UnknownName
        If the model has no such parameter.
    InvalidInput
        If a level is not a number, or there are too many combinations.
    """
    found = {
        name: np.atleast_1d(_numbers(value, Message("levels of {name!r}", name=name)))
        for name, value in _named(model, levels).items()
    }
    sizes = {name: value.size for name, value in found.items()}
    points = math.prod(sizes.values())
    if not 0 < points <= MOST_POINTS:
        raise InvalidInput(
            "a grid of {points:,} points; expected between 1 and {most:,}: take fewer levels",
            points=points,
            most=MOST_POINTS,
        )
    columns = np.meshgrid(*found.values(), indexing="ij")
    values = np.stack([column.ravel() for column in columns], axis=1)
    return Design(names=tuple(found), values=values, made={"method": "grid", "draws": points, "levels": sizes})


def rows(model: Model, table: "Values | pd.DataFrame") -> Design:
    """Design from given rows, one draw each.

    Parameters
    ----------
    model
        The model whose parameters are varied.
    table
        Columns by parameter, each of shape (draw,): a data frame or a mapping.

    Returns
    -------
    Design
        Shape (draw, parameter).

    Raises
    ------
    UnknownName
        If the model has no such parameter.
    InvalidInput
        If columns differ in length, or a value is not a finite number.
    """
    columns: dict[str, Any] = {str(name): column for name, column in table.items()}
    found = {
        name: _numbers(value, Message("column {column!r}", column=name))
        for name, value in _named(model, columns).items()
    }
    lengths = {name: value.shape for name, value in found.items()}
    first, shape = next(iter(lengths.items()))
    for name, other in lengths.items():
        if other != shape or len(other) != 1:
            raise InvalidInput(
                "columns need one number per draw: {first!r} has shape {shape}, {name!r} has shape {other_shape}",
                first=first,
                shape=shape,
                name=name,
                other_shape=other,
            )
    made = {"method": "given rows", "draws": shape[0]}
    return Design(names=tuple(found), values=np.stack(list(found.values()), axis=1), made=made)


@dataclass(frozen=True, slots=True)
class _Law:
    """Distribution of one parameter, with its quantile function."""

    text: str
    quantile: Callable[[Array], Any]

    def at(self, share: Array) -> Array:
        """Values with these cumulative probabilities, shape (draw,)."""
        return np.asarray(self.quantile(np.clip(share, _EDGE, 1 - _EDGE)), dtype=float)


def _laws(model: Model, ranges: Ranges) -> dict[str, _Law]:
    if isinstance(ranges, str):
        raise InvalidInput(
            "ranges are given by parameter, or as a sequence of names; found the text {ranges!r}", ranges=ranges
        )
    asked = ranges if isinstance(ranges, Mapping) else dict.fromkeys(ranges)
    return {name: _law(model, name, value) for name, value in _named(model, asked).items()}


def _law(model: Model, name: str, value: Any) -> _Law:
    # Frozen distributions of scipy.stats call their quantile function `ppf`, its newer random variables `icdf`.
    quantile = getattr(value, "ppf", None) or getattr(value, "icdf", None)
    if callable(quantile):
        return _Law(_text(value), quantile=quantile)
    low, high = _bounds(model, name, value)
    return _Law(f"({low:g}, {high:g})", quantile=lambda share: low + (high - low) * share)


def _text(distribution: Any) -> str:
    family = getattr(getattr(distribution, "dist", None), "name", "") or type(distribution).__name__
    parts = [f"{item!r}" for item in getattr(distribution, "args", ())]
    parts += [f"{name}={item!r}" for name, item in getattr(distribution, "kwds", {}).items()]
    return f"{family}({', '.join(parts)})"


def _bounds(model: Model, name: str, value: Any) -> Interval:
    """Bounds given by the caller, or else those of the variable, which all its elements share."""
    if value is not None:
        try:
            low, high = (float(part) for part in value)
        except (TypeError, ValueError):
            low = high = np.nan
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InvalidInput(
                "range of {name!r}: expected (low, high) with low < high, a distribution of scipy.stats, "
                "or None for the bounds the model declares; found {value!r}",
                name=name,
                value=value,
            )
        return low, high
    name, _ = located(model, name)
    groups: Iterable[Any] = (model.declarations.parameters, model.declarations.inputs)
    for item in (item for group in groups for item in group.values()):
        if item.variable == name:
            return item.lower, item.upper
    limits = model.ir.variables[name].limits
    if limits:
        return limits[0], limits[1]
    raise NoBounds(name)


def _named(model: Model, given: Values) -> Values:
    """The mapping with its keys spelled as in the model file."""
    found = {element_name(model.ir, *located(model, str(name))): value for name, value in given.items()}
    if len(found) != len(given) or not found:
        raise InvalidInput("a design needs at least one parameter, each named once; found {names}", names=list(given))
    return found


def _design(laws: Mapping[str, _Law], points: Array, method: str, seed: int) -> Design:
    """Design from points of the unit cube, transformed by the quantile functions of the parameters."""
    values = np.stack([law.at(points[:, column]) for column, law in enumerate(laws.values())], axis=1)
    texts = {name: law.text for name, law in laws.items()}
    made = {"method": method, "draws": len(points), "seed": seed, "ranges": texts}
    return Design(names=tuple(laws), values=values, made=made)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def _numbers(value: Any, what: Message) -> Array:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput("{what}: expected numbers; found {value!r}", what=what, value=value) from error


def intervals(model: Model, ranges: Values) -> dict[str, Interval]:
    """Bounds of every parameter, by its name in the model file."""
    return {name: _bounds(model, name, value) for name, value in _named(model, ranges).items()}
