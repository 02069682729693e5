"""Value types of scenarios: policies, schedules, and changes to constants; independent of files and models."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum
from numbers import Real
from typing import Any, Generic, Literal, TypeVar

from pysd_runner.core.errors import InvalidInput, InvalidScenario, Message
from pysd_runner.core.types import Numbers, Record, frozen

Value = TypeVar("Value")
Interpolation = Literal["step", "linear"]

MIX_TOLERANCE = 1e-6
BUDGET_LIMIT = 0.1
BUDGET_USUAL = 0.01
REDISTRIBUTION_LIMIT = 3.0
REDISTRIBUTION_USUAL = (-1.0, 2.0)
# Format versions of scenario files: policies with assumptions, and changes to constants.
SCHEMA_VERSION, CHANGES_SCHEMA = 1, 2
INTERPOLATIONS = ("step", "linear")
_FACTOR = re.compile(r"[*x×]\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)")
_PERCENT = re.compile(r"([+-]\s*[0-9.]+)\s*[%％]")


class FrozenMapping(Mapping[str, Value], Generic[Value]):
    """Read-only mapping from strings to values; hashable and picklable.

    >>> FrozenMapping({"access": 1.0})["access"]
    1.0
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Value] | Iterable[tuple[str, Value]] = ()) -> None:
        self._items: dict[str, Value] = dict(items)

    def __getitem__(self, key: str) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


Mix = FrozenMapping[float]
NO_MIXES: FrozenMapping[Mix] = FrozenMapping()
ALL_ON: "FrozenMapping[bool | Schedule[bool]]" = FrozenMapping()


@frozen
class Schedule(Generic[Value]):
    """Values that change over time.

    Parameters
    ----------
    times
        Calendar years, or years since the start of the policy, in increasing order.
    values
        One value per time.
    since_start
        Whether times count from the start of the policy.
    interpolate
        ``"step"``: a value applies until the next time; ``"linear"``: linear interpolation between times.

    Raises
    ------
    InvalidScenario
        If times do not increase, or the number of values differs from the number of times.
    """

    times: tuple[float, ...]
    values: tuple[Value, ...]
    since_start: bool = False
    interpolate: Interpolation = "step"

    def __post_init__(self) -> None:
        if not self.times or len(self.times) != len(self.values):
            raise InvalidScenario(
                "a schedule needs one value per year and at least one year; found {years} years and {values} values",
                years=len(self.times),
                values=len(self.values),
            )
        if any(later <= earlier for earlier, later in pairwise(self.times)):
            raise InvalidScenario("the years of a schedule must increase; found {years}", years=list(self.times))

    def years(self, start: float) -> tuple[float, ...]:
        """Convert the times of the schedule to calendar years.

        Parameters
        ----------
        start
            Year in which the policy starts.

        Returns
        -------
        tuple of float
            One year per value.
        """
        return tuple(start + time for time in self.times) if self.since_start else self.times


@frozen
class Policy:
    """A policy: how much is spent, on which levers, in which regions, and how spending is adapted.

    ``None`` keeps the value of the model. A region is targeted by name or through its group;
    class targets apply within those regions.

    Parameters
    ----------
    start
        First year of spending; None for the first year of a scheduled budget, else the first year after the origin.
    budget
        Share of national output a year (Dmnl), 0 to 0.1.
    mix
        Share of the budget by lever (Dmnl), sums to one.
    differentiation
        Weight of `class_mixes` against `mix` (Dmnl): 0 one mix for all, 1 a mix for each class.
    class_mixes
        Share of the budget by lever for each class; each sums to one.
    levers
        Levers that are switched off, or on and off over time; before the first year of a schedule a lever is off. The
        money of a lever that is off stays unspent. Levers that are not named are on.
    redistribution
        Exponent of need in the allocation to regions (Dmnl): -1 money follows output, 0 per head, 1 need.
    rural_broadband
        Share of the network spending of the lever ``access`` that goes to villages (Dmnl), 0 to 1.
    basic_training
        Share of the spending of the lever ``skills`` that goes to basic courses (Dmnl), 0 to 1.
    rolling_evaluation
        Whether each region shifts money to the levers that are evaluated well.
    regions, groups, classes
        Targets as written; None targets all.
    pilots
        Regions in which the policy is piloted; after an evaluation it is extended to the others, with the levers that
        performed well in similar regions. None starts in all regions at once.

    Raises
    ------
    InvalidScenario
        If a number is out of range, a mix does not sum to one, or a target is empty; lists all problems.
    """

    start: float | None = None
    budget: float | Schedule[float] | None = None
    mix: Mix | Schedule[Mix] | None = None
    differentiation: float | None = None
    class_mixes: FrozenMapping[Mix] = NO_MIXES
    levers: "FrozenMapping[bool | Schedule[bool]]" = ALL_ON
    redistribution: float | None = None
    rural_broadband: float | None = None
    basic_training: float | None = None
    rolling_evaluation: bool | None = None
    regions: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    pilots: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mix", _frozen(self.mix))
        object.__setattr__(
            self, "class_mixes", FrozenMapping((name, FrozenMapping(mix)) for name, mix in self.class_mixes.items())
        )
        object.__setattr__(self, "levers", FrozenMapping(self.levers))
        complaints = list(_complaints(self))
        if complaints:
            raise InvalidScenario("this policy cannot be: {why}", why="; ".join(complaints))

    @property
    def spends(self) -> bool:
        """Whether any money is ever spent."""
        return any(amount > 0 for amount in _moments(self.budget))

    def settings(self) -> Record:
        """All settings, by key in a scenario file.

        Returns
        -------
        dict
            Values by dotted key (``"targets.regions"``, ``"class_mixes.lagging"``, ``"levers.skills"``), without
            settings that are None.
        """
        found = {
            "start": self.start,
            "budget": self.budget,
            "mix": self.mix,
            "differentiation": self.differentiation,
            **{f"class_mixes.{name}": mix for name, mix in self.class_mixes.items()},
            **{f"levers.{name}": value for name, value in self.levers.items()},
            "redistribution": self.redistribution,
            "rural_broadband": self.rural_broadband,
            "basic_training": self.basic_training,
            "rolling_evaluation": self.rolling_evaluation,
            "targets.regions": self.regions,
            "targets.groups": self.groups,
            "targets.classes": self.classes,
            "targets.pilots": self.pilots,
        }
        return {key: value for key, value in found.items() if value is not None}

    @classmethod
    def from_settings(cls, settings: Record) -> "Policy":
        """Build a policy from settings.

        Parameters
        ----------
        settings
            As returned by `settings`.

        Returns
        -------
        Policy
            The policy; settings without a key keep the value of the model.
        """
        groups: dict[str, dict[str, Any]] = {"class_mixes": {}, "levers": {}}
        fields: dict[str, Any] = {}
        for key, value in settings.items():
            group, _, name = key.partition(".")
            if group in groups:
                groups[group][name] = value
            else:
                fields[key.removeprefix("targets.")] = value
        return cls(**fields, class_mixes=FrozenMapping(groups["class_mixes"]), levers=FrozenMapping(groups["levers"]))


def _frozen(mix: Numbers | Schedule[Any] | None) -> Mix | Schedule[Mix] | None:
    if isinstance(mix, Schedule):
        return replace(mix, values=tuple(FrozenMapping(entry) for entry in mix.values))
    return None if mix is None else FrozenMapping(mix)


def _complaints(policy: Policy) -> Iterator[str]:
    for amount in _moments(policy.budget):
        yield from _outside("budget", amount, 0.0, BUDGET_LIMIT)
    mixes = [("mix", mix) for mix in _moments(policy.mix)]
    mixes += [(f"class_mixes.{name}", mix) for name, mix in policy.class_mixes.items()]
    for key, mix in mixes:
        for lever, share in mix.items():
            # Shares may exceed 1 by rounding, even in a mix of a single lever.
            yield from _outside(f"{key}.{lever}", share, 0.0, 1.0, slack=MIX_TOLERANCE)
        total = fsum(mix.values())
        if not abs(total - 1) <= MIX_TOLERANCE:
            yield Message("{setting} sums to {total:.10g}, expected 1", setting=key, total=total)
    yield from _outside("differentiation", policy.differentiation, 0.0, 1.0)
    for key in ("rural_broadband", "basic_training"):
        yield from _outside(key, getattr(policy, key), 0.0, 1.0)
    yield from _outside("redistribution", policy.redistribution, -REDISTRIBUTION_LIMIT, REDISTRIBUTION_LIMIT)
    for key in ("regions", "groups", "classes", "pilots"):
        if getattr(policy, key) is not None and not getattr(policy, key):
            yield Message("{setting} is empty, so nothing would be left to target (None reaches all)", setting=key)


def _moments(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return value.values if isinstance(value, Schedule) else (value,)


def _outside(key: str, value: float | None, lower: float, upper: float, *, slack: float = 0.0) -> Iterator[str]:
    if value is not None and not lower <= value <= upper + slack:
        yield Message(
            "{setting} is {value:g}, expected {low:g} to {high:g}", setting=key, value=value, low=lower, high=upper
        )


@dataclass(frozen=True, slots=True)
class Relative:
    """A multiple of the value without the scenario, in every draw."""

    factor: float

    def __str__(self) -> str:
        return f"{100 * (self.factor - 1):+g} %"


Amount = float | Relative
# A change to one constant: a new value, a factor, or a schedule of these.
Change = Amount | Schedule[Amount]


def said_change(change: Change, lang: str) -> str:
    """Describe a change in words."""
    if not isinstance(change, Schedule):
        return _said(change)
    from pysd_runner.core.calendar import said_date
    from pysd_runner.text import translate

    joint = translate("change.then" if change.interpolate == "step" else "change.rising", lang)
    return joint.join(
        translate("change.from", lang, amount=_said(amount), time=said_date(time))
        for time, amount in zip(change.times, change.values, strict=True)
    )


def _said(amount: Amount) -> str:
    return str(amount) if isinstance(amount, Relative) else f"{amount:g}"


def plain_change(change: Change) -> Any:
    """Convert a change to plain data for `read_change`."""
    if not isinstance(change, Schedule):
        return _plain(change)
    steps = zip(change.times, change.values, strict=True)
    return {**{repr(time): _plain(item) for time, item in steps}, "interpolate": change.interpolate}


def _plain(amount: Amount) -> str | float:
    return f"x{amount.factor!r}" if isinstance(amount, Relative) else amount


def read_change(value: Any, place: str) -> Change:
    """Parse a change as written by the user: a number, a factor or a percentage, or a mapping of these by time."""
    if isinstance(value, Schedule):
        return value
    if not isinstance(value, Mapping):
        return _amount(value, place)
    entries = dict(value)
    interpolate = entries.pop("interpolate", "step")
    if interpolate not in INTERPOLATIONS:
        raise InvalidScenario(
            "{place}: interpolate: expected step or linear, found {found!r}", place=place, found=interpolate
        )
    if not entries:
        raise InvalidScenario("{place}: a schedule needs at least one time, such as {{20: 4}}", place=place)
    steps = sorted((_time(time, place), _amount(amount, f"{place} at {time}")) for time, amount in entries.items())
    times = tuple(time for time, _ in steps)
    if len(set(times)) < len(times):
        raise InvalidScenario("{place}: a time stands twice", place=place)
    return Schedule(times=times, values=tuple(amount for _, amount in steps), interpolate=interpolate)


def _time(text: Any, place: str) -> float:
    from pysd_runner.core.calendar import time_of

    try:
        time = time_of(str(text))
    except InvalidInput:
        time = math.nan
    if not math.isfinite(time):
        raise InvalidScenario(
            "{place}: expected a year, a date or a time in the model's unit, found {what!r}", place=place, what=text
        )
    return time


def _amount(value: Any, place: str) -> Amount:
    if isinstance(value, Relative):
        return value
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        if match := _FACTOR.fullmatch(value.strip()):
            return Relative(float(match[1]))
        if match := _PERCENT.fullmatch(value.strip()):
            return Relative(1 + float(match[1].replace(" ", "")) / 100)
    raise InvalidScenario(
        "{place}: expected a number, or a change such as 'x0.8' or '-20 %'; found {what!r}", place=place, what=value
    )
