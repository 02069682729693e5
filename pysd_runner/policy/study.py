"""Inputs of a policy analysis (model, common draws, levers, outcomes), and effects of policies computed from them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.calendar import PLAIN, Calendar
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.types import Array, Arrays, Indices, Interval, Values, frozen
from pysd_runner.data import Entity
from pysd_runner.engine import TimePath, fitted_to
from pysd_runner.model import Model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import only_draws, stacked_values

Data = Arrays

# Maximum number of saved values in memory at a time, 8 bytes each.
MOST_CELLS = 8_000_000
# Maximum number of policies simulated together: more are no faster.
MOST_POLICIES = 8


@frozen
class Named:
    """Base class of objects with a key (in files and tables) and labels in English and Chinese."""

    key: str
    en: str = ""
    zh: str = ""

    def label(self, lang: str) -> str:
        """Label in a language, ``"en"`` or ``"zh"``."""
        return (self.zh if lang == "zh" else self.en) or self.key


@frozen
class Lever(Named):
    """One measure of a policy, which can be on or off.

    Attributes
    ----------
    key
        Name in files and tables.
    variable
        Constant of the model that holds its value.
    position
        Index of its element in that variable; empty for a variable without dimensions.
    off
        Value at which the lever is off.
    en, zh
        Labels.
    """

    variable: str
    position: tuple[int, ...] = ()
    off: float = 0.0


@frozen(eq=False)
class Outcome(Named):
    """A measure of how favourable a run is, by case and year, with its derivatives.

    Attributes
    ----------
    key
        Name in files and tables.
    variables
        Model variables from which it is computed.
    value
        Function from data by variable, shape (policy, draw, ..., year), to an array of shape (policy, draw, year).
    slopes
        Function from the data to the derivatives of the value with respect to each variable, in the shape of its data.
    sign
        1 if higher values are better, -1 if lower values are, so that a positive effect is an improvement.
    unit
        Unit of the effect.
    en, zh
        Labels.
    unit_zh
        Unit in Chinese; empty if it is the same.
    is_relative
        Whether an effect is a change in per cent rather than a difference.
    by_element
        Whether there is a value for each element (region), on an axis before that of years.
    """

    variables: tuple[str, ...]
    value: Callable[[Data], Array]
    slopes: Callable[[Data], Data]
    sign: float = 1.0
    unit: str = ""
    unit_zh: str = ""
    is_relative: bool = False
    by_element: bool = False

    def unit_in(self, lang: str) -> str:
        """Unit in a language."""
        return self.unit_zh if lang == "zh" and self.unit_zh else self.unit

    def effect(self, with_policy: Array, without: Array) -> Array:
        """Change caused by a policy, positive if it is an improvement; adding 0.0 turns -0.0 into 0.0."""
        change = with_policy - without
        return self.sign * (100 * change / without if self.is_relative else change) + 0.0


@frozen(eq=False)
class Study:
    """A model with draws that all policies share.

    Parameters
    ----------
    model
        The model.
    values
        Values common to all policies, by model variable; those that vary between draws have shape (1, draw, ...).
    draws
        Number of draws.
    bounds
        First and last year.
    step
        Length of a step, in years.
    none
        Values of the no-policy run, by model variable.
    levers
        Levers of which policies consist, by key.
    outcomes
        Outcomes by which policies are judged, by key; the first one is the default.
    watched
        Outcomes with a value for each element, which can be used in constraints of a search.
    elements
        Names of those elements.
    regions
        Regions of a regional model, in the order of its subscript range.
    notes
        Caveats that a reader needs.
    calendar
        Dates of model times, where the model does not count years.
    """

    model: Model
    values: Values
    draws: int
    bounds: Interval
    step: float
    none: Values = field(default_factory=dict)
    levers: Mapping[str, Lever] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    watched: Mapping[str, Outcome] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    regions: tuple[Entity, ...] = ()
    notes: tuple[str, ...] = ()
    calendar: Calendar = PLAIN

    @property
    def times(self) -> Array:
        """Time points of the run."""
        return np.arange(self.bounds[0], self.bounds[1] + self.step / 2, self.step)

    @property
    def years(self) -> Indices:
        """Years that are saved."""
        return np.arange(round(self.bounds[0]), round(self.bounds[1]) + 1)

    def only(self, kept: NDArray[Any]) -> "Study":
        """Select some of the draws.

        Parameters
        ----------
        kept
            Indices of draws, or a mask.
        """
        return replace(self, values=only_draws(self.model, self.values, kept), draws=len(np.arange(self.draws)[kept]))

    def part(self, draws: slice) -> "Study":
        """Select consecutive draws."""
        return self if draws == slice(0, self.draws) else self.only(np.arange(self.draws)[draws])

    def cells(self, variables: Iterable[str]) -> int:
        """Number of elements of some variables, in one draw at one time."""
        ir = self.model.ir
        return sum(int(np.prod(ir.shape(ir.variables[name].dims))) for name in variables)

    def outcome(self, key: str = "") -> Outcome:
        """An outcome by key; the first one if none is named.

        Raises
        ------
        UnknownName
            If there is no such outcome.
        """
        if not key:
            return next(iter(self.outcomes.values()))
        if key in self.watched:
            raise InvalidInput("{outcome!r} has a value for each region; an objective is one number", outcome=key)
        if key not in self.outcomes:
            raise UnknownName(
                "there is no outcome {outcome!r}; known: {known}.{suggestion}", outcome=key, among=self.outcomes
            )
        return self.outcomes[key]

    def switched(self, policy: Values, active: Iterable[float]) -> Values:
        """Scale the levers of a policy between off and their values in the policy.

        Parameters
        ----------
        policy
            Values of the policy by model variable.
        active
            For each lever 1 as in the policy, 0 off, or a value between for linear interpolation; shape (lever,).

        Returns
        -------
        dict
            Values by variable.
        """
        changed: dict[str, Array | TimePath] = {}
        for lever, share in zip(self.levers.values(), active, strict=True):
            if share == 1:
                continue
            known = changed.get(lever.variable, policy.get(lever.variable))
            changed[lever.variable] = _moved(self.own(lever.variable, known), lever, share)
        return {**policy, **changed}

    def own(self, variable: str, value: Any = None) -> Array | TimePath:
        """Value of a variable in a policy, else in the study or the model file, with the axes (scenario, draw, ...)."""
        if value is None:
            value = self.values.get(variable, self.none.get(variable))
        if value is None:
            value = simulate(self.model, outcomes=[variable], start=0.0, stop=0.0)[variable][..., 0]
        return fitted_to(self.model.ir, variable, value)

    def run(
        self,
        policies: Sequence[Values],
        measure: Callable[[Data], Data],
        variables: Sequence[str],
        *,
        every: float = 1.0,
        progress: Callable[[int], None] | None = None,
    ) -> Arrays:
        """Run policies on all draws and keep only the results of `measure`.

        Policies and draws are run in blocks, so that memory use does not grow with their number.

        Parameters
        ----------
        policies
            Values by variable of each policy.
        measure
            Function from data by variable, shape (policy, draw, ..., year), to arrays with the same two leading axes.
        variables
            Variables passed to `measure`.
        every
            Years between saved time points.
        progress
            Called with the number of runs finished since the last call.

        Returns
        -------
        dict
            Measures by name, shape (policy, draw, ...).
        """
        parts: list[dict[str, Array]] = []
        moments = max(2, round((self.bounds[1] - self.bounds[0]) / every) + 1)
        size = max(1, MOST_CELLS // (self.cells(variables) * moments * min(MOST_POLICIES, len(policies))))
        for some in blocks(len(policies), MOST_POLICIES):
            rows = []
            for draws in blocks(self.draws, size):
                rows.append(_measured(self.part(draws).simulated(policies[some], variables, every), measure))
                if progress is not None:
                    progress((draws.stop - draws.start) * (some.stop - some.start))
            parts.append({name: np.concatenate([row[name] for row in rows], axis=1) for name in rows[0]})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def simulated(self, policies: Sequence[Values], variables: Sequence[str], every: float = 1.0) -> Arrays:
        """Run policies on all draws.

        Parameters
        ----------
        policies
            Values by variable of each policy.
        variables
            Variables to save.
        every
            Years between saved time points.

        Returns
        -------
        dict
            Values by variable, shape (policy, draw, ..., year).
        """
        run = simulate(
            self.model,
            {**self.values, **self.stacked(policies)},
            start=self.bounds[0],
            stop=self.bounds[1],
            save_every=every,
            outcomes=list(variables),
        )
        lead = (len(policies), self.draws)
        return {name: np.broadcast_to(run[name], (*lead, *run[name].shape[2:])) for name in variables}

    def stacked(self, policies: Sequence[Values]) -> dict[str, Array | TimePath]:
        """Stack the values of several policies along the scenario axis."""
        return stacked_values(policies, self.model, {**self.values, **self.none}, self.times)


def _measured(data: Data, measure: Callable[[Data], Data]) -> Arrays:
    """Measure each policy separately, so that rounding does not depend on which policies share its block."""
    count = len(next(iter(data.values())))
    each = [
        measure({name: np.ascontiguousarray(values[place : place + 1]) for name, values in data.items()})
        for place in range(count)
    ]
    return {name: np.concatenate([found[name] for found in each]) for name in each[0]}


def blocks(count: int, size: int) -> Iterator[slice]:
    """Consecutive parts of at most `size` of a number of items."""
    for first in range(0, count, size):
        yield slice(first, min(count, first + size))


def _moved(value: Array | TimePath, lever: Lever, share: float) -> Array | TimePath:
    """Scale a lever between off (`share` 0) and its value in the policy (`share` 1)."""
    place: Any = (..., *lever.position)
    if isinstance(value, TimePath):
        values = np.array(value.values)
        values[place] = lever.off + share * (values[place] - lever.off)
        return TimePath(times=value.times, values=values, interpolate=value.interpolate)
    found = np.array(value)
    found[place] = lever.off + share * (found[place] - lever.off)
    return found


def effects_of(
    study: Study,
    policies: Sequence[Values],
    outcomes: Sequence[Outcome],
    *,
    every: float = 1.0,
    none: Values | None = None,
    progress: Callable[[int], None] | None = None,
) -> Arrays:
    """Effects of policies relative to no policy, draw by draw.

    Parameters
    ----------
    study
        Model and draws.
    policies
        Values of each policy by model variable.
    outcomes
        Outcomes to measure.
    every
        Years between saved time points.
    none
        Values of the no-policy run; None for those of the study.
    progress
        Called with the number of runs finished since the last call.

    Returns
    -------
    dict
        Effects by key of the outcome, shape (policy, draw, year); 0 in the first year.
    """
    variables = list(dict.fromkeys(name for item in outcomes for name in item.variables))

    def measure(data: Data) -> Arrays:
        return {item.key: item.value(data) for item in outcomes}

    found = study.run(
        [study.none if none is None else none, *policies], measure, variables, every=every, progress=progress
    )
    return {item.key: item.effect(found[item.key][1:], found[item.key][:1]) for item in outcomes}


def end_effects(
    study: Study, policies: Sequence[Values], outcomes: Sequence[Outcome], *, none: Values | None = None
) -> Arrays:
    """Effects of policies in the last year by outcome, shape (policy, draw), or (policy, draw, element)."""
    found = effects_of(study, policies, outcomes, every=study.bounds[1] - study.bounds[0], none=none)
    return {key: values[..., -1] for key, values in found.items()}


def band(name: str, values: Array, method: Literal["linear", "inverted_cdf"] = "linear") -> dict[str, float]:
    """Median and 90 % interval of some values, with keys for a table; NaN if there are no values."""
    levels = np.quantile(values, (0.05, 0.5, 0.95), method=method) if values.size else np.full(3, np.nan)
    return dict(zip((f"{name}_p05", f"{name}_p50", f"{name}_p95"), levels.tolist(), strict=True))


def who_and_what(reference: Array, who: Array, what: Array, both: Array) -> Arrays:
    """Decompose an effect relative to a reference policy into who is funded, what is bought, and their interaction."""
    parts = {"who": who - reference, "what": what - reference}
    total = both - reference
    return {**parts, "interaction": total - parts["who"] - parts["what"], "total": total}
