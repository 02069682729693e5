"""Which values the parameters of an ensemble take: one row a draw."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.engine.counts import whole
from pysd_runner.model import Model
from pysd_runner.simulation.run import element_name, located
from pysd_runner.spec import FittedParameters
from pysd_runner.study.draws import parameter_draws

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# What a parameter may be drawn from: (low, high), a distribution, or None for bounds of the declarations or the file.
Ranges = Mapping[str, Any] | Sequence[str]

# Designs whose draws can be made part by part.
PartMethod = Literal["sobol", "random"]

# A grid of more points than this is a slip of the pen, and would not fit into memory.
MOST_POINTS = 100_000_000

# Keeps quantile functions without ends finite; smaller than the spacing of numbers drawn from [0, 1).
_EDGE = 2.0**-54


class UnbalancedDesign(UserWarning):
    """A Sobol sequence was cut where it is not balanced."""


class NoBounds(InvalidInput):
    """Neither a caller nor the model says between which values a parameter is drawn."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the model declares no bounds of {name!r}; give them: {{{name!r}: (low, high)}}")
        self.name = name


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Design:
    """Values of some parameters, one row a draw.

    Parameters
    ----------
    names
        Parameters, by their names in the model file; an element of one as ``contact rate[young]``.
    values
        Shape (draw, parameter), each column in the unit of its parameter; it cannot be changed.
    made
        How it was made: plain texts, numbers and lists.

    Raises
    ------
    InvalidInput
        If there is no draw, a name comes twice, or a value is not a finite number.
    """

    names: tuple[str, ...]
    values: Array
    made: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = _numbers(self.values, "a design")
        if values.ndim != 2 or values.shape[1] != len(self.names) or not values.shape[0]:
            raise InvalidInput(
                f"a design needs one row per draw and a column for each of {len(self.names)} parameters; found shape "
                f"{values.shape}"
            )
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise InvalidInput(f"{twice[0]!r} is in the design twice; name each parameter once")
        wrong = np.argwhere(~np.isfinite(values))
        if wrong.size:
            draw, column = (int(place) for place in wrong[0])
            raise InvalidInput(
                f"{self.names[column]!r} is {values[draw, column]} in draw {draw}; expected finite numbers"
            )
        values = values.copy() if values.flags.writeable else values
        values.setflags(write=False)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def cases(self) -> dict[str, Array]:
        """Values by parameter, shape (draw,)."""
        return {name: self.values[:, column] for column, name in enumerate(self.names)}

    def to_frame(self) -> "pd.DataFrame":
        """The design as a table: one row a draw, one column a parameter."""
        import pandas as pd

        return pd.DataFrame(self.values, columns=list(self.names), index=pd.RangeIndex(len(self), name="draw"))


def latin_hypercube(model: Model, ranges: Ranges, draws: int, *, seed: int = 0) -> Design:
    """Latin hypercube: each of `draws` slices of equal probability of every parameter is drawn from once.

    Parameters
    ----------
    model
        The model whose parameters are drawn.
    ranges
        By parameter: ``(low, high)``, a frozen distribution of ``scipy.stats``, or None for the bounds the model
        declares, or else its file gives beside the unit, as in ``~ Dmnl [0,1]``; a sequence of names takes all of them
        from there. One range for a parameter with subscripts moves all its elements together;
        ``contact rate[young]`` moves one, and those not named keep the values of the file.
    draws
        How many.
    seed
        Decides every value, a whole number from 0. Each parameter has its own stream: one that is added leaves the
        values of the others alone.

    Returns
    -------
    Design
        Shape (draw, parameter).

    Raises
    ------
    UnknownName
        If the model has no such parameter.
    InvalidInput
        If a range or a number is not usable.
    """
    laws, draws, seed = _asked(model, ranges, draws, seed)
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
    model
        The model whose parameters are drawn.
    ranges
        As in `latin_hypercube`.
    draws
        How many; best a power of two.
    seed
        Decides the scrambling, a whole number from 0.

    Returns
    -------
    Design
        Shape (draw, parameter).

    Raises
    ------
    UnknownName
        If the model has no such parameter.
    InvalidInput
        If a range or a number is not usable.

    Warns
    -----
    UnbalancedDesign
        If `draws` is no power of two.
    """
    laws, draws, seed = _asked(model, ranges, draws, seed)
    warn_unbalanced(draws)
    points = _sobol_points(len(laws), slice(0, draws), seed)
    return _design(laws, points, "Sobol", seed)


def warn_unbalanced(draws: int) -> None:
    """Warn of a Sobol sequence that is cut where it is not balanced."""
    if draws & (draws - 1):
        below = 1 << (draws.bit_length() - 1)
        warnings.warn(
            f"{draws} draws of a Sobol sequence are no power of two and not balanced; take {below} or {2 * below}",
            UnbalancedDesign,
            stacklevel=3,
        )


def _sobol_points(parameters: int, part: slice, seed: int) -> Array:
    """Some consecutive points of a scrambled sequence, shape (point, parameter)."""
    from scipy.stats import qmc

    most = qmc.Sobol.MAXDIM
    if parameters > most:
        raise InvalidInput(f"a Sobol sequence has at most {most} parameters; found {parameters}")
    sequence = qmc.Sobol(parameters, seed=np.random.default_rng([seed, parameters]))
    if part.start:
        sequence.fast_forward(part.start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `sobol` says what to do
        return np.asarray(sequence.random(part.stop - part.start))


def drawn_part(model: Model, method: PartMethod, ranges: Ranges, part: slice, *, seed: int) -> Design:
    """Some consecutive draws of a design, without those before them."""
    laws = _laws(model, ranges)
    if method == "sobol":
        return _design(laws, _sobol_points(len(laws), part, seed), "Sobol", seed)
    shares = []
    for name in laws:
        stream = _stream(seed, name)
        # Every number drawn from [0, 1) takes one step of the generator, so that those before can be left out.
        stream.bit_generator.advance(part.start)  # type: ignore[attr-defined]
        shares.append(stream.random(part.stop - part.start))
    return _design(laws, np.stack(shares, axis=1), "random draws", seed)


def random_draws(model: Model, ranges: Ranges, draws: int, *, seed: int = 0) -> Design:
    """Independent draws of every parameter from its own distribution.

    Parameters
    ----------
    model
        The model whose parameters are drawn.
    ranges
        By parameter: ``(low, high)`` for a uniform distribution, a frozen distribution of ``scipy.stats``, a prior of
        `pysd_runner.spec`, or None for a uniform distribution between the bounds the model declares.
    draws
        How many; more draws keep those there were.
    seed
        Decides every value, a whole number from 0. Each parameter has its own stream: one that is added leaves the
        values of the others alone.

    Returns
    -------
    Design
        Shape (draw, parameter).

    Raises
    ------
    UnknownName
        If the model has no such parameter.
    InvalidInput
        If a range or a number is not usable.
    """
    laws, draws, seed = _asked(model, ranges, draws, seed)
    columns = [law.sample(_stream(seed, name), draws) for name, law in laws.items()]
    made = _made("random draws", laws, draws, seed)
    return Design(names=tuple(laws), values=np.stack(columns, axis=1), made=made)


def grid(model: Model, levels: Mapping[str, Any]) -> Design:
    """Every combination of some levels; the last parameter changes fastest.

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
        name: np.atleast_1d(_numbers(value, f"levels of {name!r}")) for name, value in _named(model, levels).items()
    }
    sizes = {name: value.size for name, value in found.items()}
    points = 1
    for size in sizes.values():
        points *= size
    if not 0 < points <= MOST_POINTS:
        raise InvalidInput(f"a grid of {points:,} points; expected between 1 and {MOST_POINTS:,}: take fewer levels")
    columns = np.meshgrid(*found.values(), indexing="ij")
    values = np.stack([column.ravel() for column in columns], axis=1)
    return Design(names=tuple(found), values=values, made={"method": "grid", "draws": points, "levels": sizes})


def rows(model: Model, table: "Mapping[str, Any] | pd.DataFrame") -> Design:
    """Rows that are given: one draw each.

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
                f"columns need one number per draw: {first!r} has shape {shape}, {name!r} has shape {other}"
            )
    made = {"method": "given rows", "draws": shape[0]}
    return Design(names=tuple(found), values=np.stack(list(found.values()), axis=1), made=made)


def prior_draws(model: Model, draws: int, *, seed: int = 0) -> Design:
    """Draws of every parameter that is no policy choice from the prior the model declares.

    Parameters
    ----------
    model
        A model with declarations.
    draws
        How many; 1 gives the declared values. More draws keep those there were.
    seed
        Decides every value, a whole number from 0.

    Returns
    -------
    Design
        Shape (draw, parameter); parameters of the measurement equations alone are left out.

    Raises
    ------
    InvalidInput
        If the model has no declarations.
    """
    return _declared_draws(model, None, draws, seed)


def fitted_draws(model: Model, fitted: FittedParameters, draws: int, *, seed: int = 0) -> Design:
    """Draws from a calibration; parameters it did not estimate come from their priors.

    Parameters
    ----------
    model
        A model with declarations.
    fitted
        What the calibration found: ``load_fitted(file)`` or ``fit(...).fitted``.
    draws
        How many; 1 gives the estimates and declared values.
    seed
        Decides every value, a whole number from 0.

    Returns
    -------
    Design
        Shape (draw, parameter); parameters of the measurement equations alone are left out.

    Raises
    ------
    InvalidInput
        If the model has no declarations, or the fit belongs to another version of it.
    """
    if fitted.model_sha256 != model.sha256:
        raise InvalidInput(
            f"the fit belongs to another version of the model: {fitted.model!r}, {fitted.model_sha256[:12]}; "
            f"this one is {model.name!r}, {model.sha256[:12]}; calibrate again"
        )
    return _declared_draws(model, fitted, draws, seed)


def _declared_draws(model: Model, fitted: FittedParameters | None, draws: int, seed: int) -> Design:
    draws, seed, spec = whole("draws", draws, least=1), whole("seed", seed, least=0), model.spec
    if spec is None:
        raise InvalidInput(f"{model.path.name} has no declarations, so no priors; draw from ranges of your own")
    found = parameter_draws(spec, fitted, draws, np.random.default_rng(seed))
    values = {spec.parameters[key].variable: value for key, value in found.items() if spec.parameters[key].variable}
    made = {"method": "prior" if fitted is None else "fit", "draws": draws, "seed": seed}
    if fitted is not None:
        made |= {"panel": fitted.panel, "last_year": fitted.last_year}
    return Design(names=tuple(values), values=np.stack(list(values.values()), axis=1), made=made)


@dataclass(frozen=True, slots=True)
class _Law:
    """What one parameter is drawn from: a quantile function, or a sampler alone."""

    text: str
    quantile: Callable[[Array], Any] | None = None
    sampler: Callable[[np.random.Generator, int], Any] | None = None

    def at(self, share: Array) -> Array:
        """Values with these cumulative probabilities, shape (draw,)."""
        if self.quantile is None:
            raise InvalidInput(
                f"{self.text} has no quantile function, which this design needs; use random_draws, or a distribution "
                "of scipy.stats"
            )
        return np.asarray(self.quantile(np.clip(share, _EDGE, 1 - _EDGE)), dtype=float)

    def sample(self, stream: np.random.Generator, draws: int) -> Array:
        """Independent values, shape (draw,)."""
        if self.sampler is None:
            return self.at(stream.random(draws))
        return np.asarray(self.sampler(stream, draws), dtype=float)


def _laws(model: Model, ranges: Ranges) -> dict[str, _Law]:
    if isinstance(ranges, str):
        raise InvalidInput(f"ranges are given by parameter, or as a sequence of names; found the text {ranges!r}")
    asked = ranges if isinstance(ranges, Mapping) else dict.fromkeys(ranges)
    return {name: _law(model, name, value) for name, value in _named(model, asked).items()}


def _asked(model: Model, ranges: Ranges, draws: int, seed: int) -> tuple[dict[str, "_Law"], int, int]:
    """What is drawn from, and whole numbers."""
    return _laws(model, ranges), whole("draws", draws, least=1), whole("seed", seed, least=0)


def _law(model: Model, name: str, value: Any) -> _Law:
    # Frozen distributions of scipy.stats spell their quantile function `ppf`, its newer random variables `icdf`.
    quantile = getattr(value, "ppf", None) or getattr(value, "icdf", None)
    if callable(quantile):
        return _Law(_text(value), quantile=quantile)
    if callable(getattr(value, "from_unbounded", None)):
        return _Law(str(value), sampler=value.sample)
    low, high = _bounds(model, name, value)
    return _Law(f"({low:g}, {high:g})", quantile=lambda share: low + (high - low) * share)


def _text(distribution: Any) -> str:
    family = getattr(getattr(distribution, "dist", None), "name", "") or type(distribution).__name__
    parts = [f"{item!r}" for item in getattr(distribution, "args", ())]
    parts += [f"{name}={item!r}" for name, item in getattr(distribution, "kwds", {}).items()]
    return f"{family}({', '.join(parts)})"


def _bounds(model: Model, name: str, value: Any) -> tuple[float, float]:
    """The bounds given, or else those of the variable, which its elements share."""
    if value is not None:
        try:
            low, high = (float(part) for part in value)
        except (TypeError, ValueError):
            low = high = np.nan
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InvalidInput(
                f"range of {name!r}: expected (low, high) with low < high, a distribution of scipy.stats, or None for "
                f"the bounds the model declares; found {value!r}"
            )
        return low, high
    name, _ = located(model, name)
    groups: Iterable[Any] = () if model.spec is None else (model.spec.parameters, model.spec.inputs)
    for item in (item for group in groups for item in group.values()):
        if item.variable == name:
            return item.lower, item.upper
    limits = model.ir.variables[name].limits
    if limits:
        return limits[0], limits[1]
    raise NoBounds(name)


def _named(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same under the names of the model file."""
    found = {element_name(model.ir, *located(model, str(name))): value for name, value in given.items()}
    if len(found) != len(given) or not found:
        raise InvalidInput(f"a design needs at least one parameter, each named once; found {list(given)}")
    return found


def _design(laws: Mapping[str, _Law], points: Array, method: str, seed: int) -> Design:
    """Points of the unit cube on the scales of the parameters."""
    values = np.stack([law.at(points[:, column]) for column, law in enumerate(laws.values())], axis=1)
    return Design(names=tuple(laws), values=values, made=_made(method, laws, len(points), seed))


def _made(method: str, laws: Mapping[str, _Law], draws: int, seed: int) -> dict[str, Any]:
    return {"method": method, "draws": draws, "seed": seed, "ranges": {name: law.text for name, law in laws.items()}}


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def _numbers(value: Any, what: str) -> Array:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput("{what}: expected numbers; found {value!r}", what=what, value=value) from error


def intervals(model: Model, ranges: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Bounds of every parameter, by its name in the model file."""
    return {name: _bounds(model, name, value) for name, value in _named(model, ranges).items()}
