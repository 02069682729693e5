"""What a policy analysis starts from: a model, draws that all policies share, levers and outcomes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.data import Entity
from pysd_runner.engine import TimePath, fitted_to
from pysd_runner.model import Model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import only_draws, stacked_values

Array = NDArray[np.float64]
Values = Mapping[str, Any]
Data = Mapping[str, Array]

# Cells of outcomes kept in memory at a time, of 8 bytes each.
MOST_CELLS = 8_000_000
# Policies simulated together: more are no faster.
MOST_POLICIES = 8


Told = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What has a name in files and tables, and labels."""

    key: str
    en: str = ""
    zh: str = ""

    def label(self, lang: str) -> str:
        """Label in a language, ``"en"`` or ``"zh"``."""
        return (self.zh if lang == "zh" else self.en) or self.key


@dataclass(frozen=True, kw_only=True, slots=True)
class Lever(Named):
    """One thing a policy can do or leave.

    Attributes
    ----------
    key
        Name in files and tables.
    variable
        Constant of the model that carries it.
    position
        Place in that variable; empty for one without dimensions.
    off
        Value that means it is left.
    en, zh
        Labels.
    """

    variable: str
    position: tuple[int, ...] = ()
    off: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome(Named):
    """A number by case and year that says how good a run is, with its derivatives.

    Attributes
    ----------
    key
        Name in files and tables.
    variables
        What it is computed from.
    value
        From data by variable, shape (policy, draw, ..., year), to shape (policy, draw, year).
    slopes
        Derivatives of it with respect to the variables, in the same shapes as the data.
    sign
        1 where more is better, -1 where less is: effects are positive when things get better.
    unit
        Of the effect.
    en, zh
        Labels.
    unit_zh
        The unit in Chinese; empty where it is the same.
    is_relative
        Whether an effect is a change in per cent rather than a difference.
    by_element
        Whether there is a number for each element (region), before the axis of years.
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
        """Change by a policy, positive when things get better; adding zero makes no minus of a zero."""
        change = with_policy - without
        return np.asarray(self.sign * (100 * change / without if self.is_relative else change) + 0.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Study:
    """A model with draws that all policies share.

    Parameters
    ----------
    model
        The model.
    values
        Values by variable that hold for every policy, those that vary with shape (1, draw, ...).
    draws
        How many draws.
    bounds
        First and last year.
    step
        Length of a step, in years.
    none
        Values without policy.
    levers
        What policies consist of, by key.
    outcomes
        What they are judged by, by key; the first one unless another is asked for.
    watched
        Outcomes with a number for each element, that a search may keep from falling.
    elements
        Names of those elements.
    regions
        Of a regional model, in the order of its range.
    notes
        What a reader must know.
    """

    model: Model
    values: Values
    draws: int
    bounds: tuple[float, float]
    step: float
    none: Values = field(default_factory=dict)
    levers: Mapping[str, Lever] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    watched: Mapping[str, Outcome] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    regions: tuple[Entity, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def times(self) -> Array:
        """Moments of the run."""
        return np.arange(self.bounds[0], self.bounds[1] + self.step / 2, self.step)

    @property
    def years(self) -> NDArray[np.intp]:
        """Years that are saved."""
        return np.arange(round(self.bounds[0]), round(self.bounds[1]) + 1)

    def only(self, kept: NDArray[Any]) -> "Study":
        """The same with some of the draws.

        Parameters
        ----------
        kept
            Positions of draws.
        """
        return replace(self, values=only_draws(self.model, self.values, kept), draws=len(np.arange(self.draws)[kept]))

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
            known = ", ".join(self.outcomes)
            raise UnknownName(
                "there is no outcome {outcome!r}; known: {known}.{suggestion}",
                outcome=key,
                known=known,
                suggestion=suggest(key, self.outcomes),
            )
        return self.outcomes[key]

    def switched(self, policy: Values, active: Iterable[float]) -> dict[str, Any]:
        """A policy with its levers on, off or in between.

        Parameters
        ----------
        policy
            Values by variable.
        active
            For each lever 1 as in the policy, 0 off, in between a straight line; shape (lever,).

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
        """A policy's value of a variable, or what the study or the file has, with the axes (scenario, draw, ...)."""
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
    ) -> dict[str, Array]:
        """Run policies on all draws, keeping nothing but some measures.

        Policies and draws are worked on in blocks, so that memory does not grow with either.

        Parameters
        ----------
        policies
            Values by variable of each policy.
        measure
            From data by variable, shape (policy, draw, ..., year), to arrays with the same two leading axes.
        variables
            What is read of a run.
        every
            Years between saved moments.
        progress
            Called with the number of runs finished.

        Returns
        -------
        dict
            By name of the measure, shape (policy, draw, ...).
        """
        parts: list[dict[str, Array]] = []
        cells = sum(int(np.prod(self.model.ir.shape(self.model.ir.variables[name].dims))) for name in variables) * max(
            2, round((self.bounds[1] - self.bounds[0]) / every) + 1
        )
        size = max(1, MOST_CELLS // (cells * min(MOST_POLICIES, len(policies))))
        for some in _blocks(len(policies), MOST_POLICIES):
            rows = []
            for draws in _blocks(self.draws, size):
                part = self if draws == slice(0, self.draws) else self.only(np.arange(self.draws)[draws])
                rows.append(_measured(part.simulated(policies[some], variables, every), measure))
                if progress is not None:
                    progress((draws.stop - draws.start) * (some.stop - some.start))
            parts.append({name: np.concatenate([row[name] for row in rows], axis=1) for name in rows[0]})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def simulated(self, policies: Sequence[Values], variables: Sequence[str], every: float = 1.0) -> dict[str, Array]:
        """Run policies on all draws.

        Parameters
        ----------
        policies
            Values by variable of each policy.
        variables
            What is kept.
        every
            Years between saved moments.

        Returns
        -------
        dict
            By variable, shape (policy, draw, ..., year).
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
        """Values of several policies along the scenario axis."""
        return stacked_values(policies, self.model, {**self.values, **self.none}, self.times)


def _measured(data: Data, measure: Callable[[Data], Data]) -> dict[str, Array]:
    """Measures of each policy by itself, so that no rounding hangs on the others in its block."""
    count = len(next(iter(data.values())))
    each = [
        measure({name: np.ascontiguousarray(values[place : place + 1]) for name, values in data.items()})
        for place in range(count)
    ]
    return {name: np.concatenate([found[name] for found in each]) for name in each[0]}


def _blocks(count: int, size: int) -> Iterator[slice]:
    for first in range(0, count, size):
        yield slice(first, min(count, first + size))


def _moved(value: Array | TimePath, lever: Lever, share: float) -> Array | TimePath:
    """A value in which a lever is moved towards off."""
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
) -> dict[str, Array]:
    """What policies change against no policy, draw by draw.

    Parameters
    ----------
    study
        Model and draws.
    policies
        Values by variable of each policy.
    outcomes
        What is measured.
    every
        Years between saved moments.
    none
        Values without policy; None takes those of the study.
    progress
        Called with the number of runs finished.

    Returns
    -------
    dict
        By key of the outcome, shape (policy, draw, year); 0 in the first year.
    """
    variables = list(dict.fromkeys(name for item in outcomes for name in item.variables))

    def measure(data: Data) -> dict[str, Array]:
        return {item.key: item.value(data) for item in outcomes}

    found = study.run(
        [study.none if none is None else none, *policies], measure, variables, every=every, progress=progress
    )
    return {item.key: item.effect(found[item.key][1:], found[item.key][:1]) for item in outcomes}


def end_effects(
    study: Study,
    policies: Sequence[Values],
    outcomes: Sequence[Outcome],
    *,
    none: Values | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Array]:
    """What policies change in the last year, shape (policy, draw), with elements behind where an outcome has some."""
    span = study.bounds[1] - study.bounds[0]
    found = effects_of(study, policies, outcomes, every=span, none=none, progress=progress)
    return {key: values[..., -1] for key, values in found.items()}


def counted(progress: Told | None, what: str, total: int) -> Callable[[int], None]:
    """Tell how many runs of how many are finished, from how many were finished each time."""
    done = 0

    def finished(runs: int) -> None:
        nonlocal done
        done += runs
        if progress is not None:
            progress(what, done, total)

    return finished


def band(name: str, values: Array, method: Literal["linear", "inverted_cdf"] = "linear") -> dict[str, float]:
    """Median and 90 % interval under the keys of tables; NaN without any value."""
    levels = np.quantile(values, (0.05, 0.5, 0.95), method=method) if values.size else np.full(3, np.nan)
    return dict(zip((f"{name}_p05", f"{name}_p50", f"{name}_p95"), levels.tolist(), strict=True))


def who_and_what(reference: Array, who: Array, what: Array, both: Array) -> dict[str, Array]:
    """Split an effect against a reference mix given per head into who gets the money, what it buys, and the rest."""
    parts = {"who": who - reference, "what": what - reference}
    total = both - reference
    return {**parts, "interaction": total - parts["who"] - parts["what"], "total": total}


def losers_of(watched: Sequence[Array], elements: Sequence[str]) -> pd.DataFrame:
    """Share of draws in which each element is worse off, the most frequent first; of the first effects by element."""
    if not watched:
        return pd.DataFrame(columns=["share_worse", "median"])
    effects = watched[0]
    frame = pd.DataFrame(
        {"share_worse": (effects < 0).mean(axis=0), "median": np.median(effects, axis=0)},
        index=pd.Index(elements, name="region"),
    )
    return frame.sort_values("share_worse", ascending=False, kind="stable")
