"""Events written in words by the user, and their probabilities from predictive draws."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.calendar import date_of, said_time, time_of
from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.core.types import Array, Flags, Indices, Texts, frozen

FORMS = (
    "WHO closes 10% of its gap by YEAR",
    "WHO closes 10% of its gap to WHO by YEAR",
    "WHO closes 10% of its gap to the leader by YEAR",
    "WHO overtakes WHO by YEAR",
    "WHO above 80% of the mean in YEAR",
    "WHO below 80% of the mean in YEAR",
    "dispersion falls by YEAR",
    "dispersion falls by 5% by YEAR",
    "dispersion rises by 5% by YEAR",
)
# Pattern of an event of any series, such as "above 100 at 80": above or below a value, at a time or by that time.
_FORM = re.compile(
    r"(?P<name>.+?)\s+(?P<way>above|over|below|under)\s+(?P<value>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s+"
    r"(?P<when>at|by|in|on)\s+(?P<time>[-+0-9./Q]+)",
    re.IGNORECASE,
)
# Number of known names listed when none matched.
_MAX_KNOWN = 6
# Tolerance for equality of logs, because class means have rounding errors.
_LOG_TOLERANCE = 1e-9
_LEADER = "leader"
_NUMBER = r"(?P<size>\d+(?:\.\d+)?) ?%"
_YEAR = r" (?P<when>by|in) (?P<year>\d{4})"


@frozen
class Chance:
    """An event and its probability."""

    event: str  # as written by the user
    year: float  # or time
    is_ever: bool  # whether it counts at any time up to then ("by"), or only at that time
    probability: float  # share of draws in which it happens


@frozen(eq=False)
class EventDraws:
    """Predictive draws in which events are evaluated, with the names of regions and classes."""

    last: Array  # log relative output at the origin, shape (region,)
    draws: Array  # shape (draw, region, year)
    years: tuple[int, ...]  # years of the draws
    places: Mapping[str, tuple[int, ...]]
    classes: tuple[str, ...] = ()  # names in `places` that stand for a class

    def of(self, name: str) -> Indices:
        """Indices of the regions a name stands for, ignoring case; "leader" is the region highest at the origin."""
        known = {spelled.casefold(): places for spelled, places in self.places.items()}
        asked = name.strip().casefold()
        asked = asked if asked in known else asked.removeprefix("the ")
        if asked in known:
            return np.array(known[asked], dtype=np.intp)
        if asked == _LEADER:
            return np.array([int(np.nanargmax(self.last))], dtype=np.intp)
        raise UnknownName(
            "the panel has no region or class {name!r}: {known}.{suggestion}",
            name=name,
            known=self._known(),
            suggestion=suggest(asked, list(self.places)),
        )

    def _known(self) -> str:
        """List the known classes and regions for an error message, one name per region."""
        first: dict[int, str] = {}
        for name, places in self.places.items():
            if name not in self.classes:
                first.setdefault(places[0], name)
        classes = Message("its classes are {names}", names=_some(self.classes))
        return Message(
            "{classes}, its regions are {regions}",
            classes=classes if self.classes else Message("it has no classes"),
            regions=_some(list(first.values())),
        )

    def until(self, year: int) -> Array:
        """Draws up to and including a year, shape (draw, region, year)."""
        if year not in self.years:
            raise InvalidInput(
                "{year} is not forecast; choose a year from {first} to {end}",
                year=year,
                first=self.years[0],
                end=self.years[-1],
            )
        return self.draws[:, :, : self.years.index(year) + 1]


def event_draws(
    names: Mapping[str, tuple[str, str]], groups: Sequence[str], last: Array, draws: Array, years: tuple[int, ...]
) -> EventDraws:
    """Create `EventDraws`, with the codes and names of regions and classes as keys of `places`."""
    places: dict[str, tuple[int, ...]] = {}
    for place, group in enumerate(groups):
        if group:
            places[group] = (*places.get(group, ()), place)
    classes = tuple(places)
    for place, (code, (english, chinese)) in enumerate(names.items()):
        for name in (english, code, chinese):
            if name:
                places[name] = (place,)
    return EventDraws(last=last, draws=draws, years=years, places=places, classes=classes)


# Whether an event happens in each draw and year, from its parsed parts, the `EventDraws`, and the draws up to its year.
_Rule = Callable[[Texts, EventDraws, Array], Flags]


def chances(events: Sequence[str], futures: EventDraws) -> tuple[Chance, ...]:
    """Compute the probabilities of events."""
    # Relative output of a class is the unweighted mean of the logs of its regions. A gap is the distance of the log
    # from the mean of all regions, unless another reference is named; the leader is the highest region at the origin. A
    # level is in per cent of the geometric mean, as in the table of a forecast. "By" a year means at any time up to
    # then, "in" a year in that year only.
    return tuple(_chance(event, futures) for event in events)


def scenario_chances(
    data: xr.Dataset, events: Sequence[str], *, reference: str = "", forecast: Array | None = None
) -> pd.DataFrame:
    """Compute the probabilities of events under each scenario of a projection."""
    # A projection has fewer draws than its baseline forecast. If `forecast` is given, the probability of the reference
    # is the share of all its draws, and that of another scenario adds the difference of shares between it and the
    # reference in the projection; NaN with a single draw.
    logs: xr.DataArray = xr.apply_ufunc(np.log, data["output_per_head"].transpose("scenario", "draw", "region", "year"))
    relative = (logs - logs.mean("region")).to_numpy()
    regions = data["region"].to_numpy()
    names = {
        str(code): (str(english), str(chinese))
        for code, english, chinese in zip(regions, data["name_en"].to_numpy(), data["name_zh"].to_numpy(), strict=True)
    }
    groups = tuple(map(str, data["group"].to_numpy()))
    years = tuple(map(int, data["year"].to_numpy()[1:]))
    found = {}
    for place, scenario in enumerate(data["scenario"].to_numpy()):
        # All draws of all scenarios start from the observed values.
        futures = event_draws(names, groups, relative[place, 0, :, 0], relative[place, :, :, 1:], years)
        found[str(scenario)] = [item.probability for item in chances(events, futures)]
    table = pd.DataFrame(found, index=pd.Index(events, name="event"))
    if forecast is None or reference not in table:
        return table
    futures = event_draws(names, groups, relative[0, 0, :, 0], forecast[:, :, : len(years)], years)
    shares = np.array([item.probability for item in chances(events, futures)])
    if len(data["draw"]) < 2:
        return table.assign(**{str(name): np.nan for name in table}).assign(**{reference: shares})
    return table.add(shares - table[reference].to_numpy(), axis=0).clip(0, 1)


def _some(names: Sequence[str]) -> str:
    """Format the first names and the number of further ones."""
    more = len(names) - _MAX_KNOWN
    shown = ", ".join(names[:_MAX_KNOWN])
    return Message("{names} and {count} more", names=shown, count=more) if more > 0 else shown


def _chance(event: str, futures: EventDraws) -> Chance:
    happens, parts = _read(event)
    year = int(parts["year"])
    is_ever = parts["when"].lower() == "by"
    share = share_of_draws(happens(parts, futures, futures.until(year)), is_ever=is_ever)
    return Chance(event=event, year=year, is_ever=is_ever, probability=share)


def _read(event: str) -> tuple[_Rule, dict[str, str]]:
    """Parse an event into its rule and the matched parts."""
    text = " ".join(event.split())
    for pattern, happens in _RULES.items():
        found = re.fullmatch(pattern + _YEAR, text, flags=re.IGNORECASE)
        if found:
            return happens, found.groupdict()
    raise InvalidInput(
        "event {event!r} is not understood; write it as one of: {forms} (by a year: at any time until then; in a "
        "year: in that year alone)",
        event=event,
        forms="; ".join(FORMS),
    )


def _size(parts: Texts, event: Message) -> float:
    """Size of a change, as a fraction."""
    size = float(parts["size"]) / 100
    if size <= 0:
        raise InvalidInput("{event} by 0% is no event; give a size above 0%", event=event)
    return size


def _closes(parts: Texts, futures: EventDraws, then: Array) -> Flags:
    who, part = futures.of(parts["who"]), _size(parts, Message("closing a gap"))
    gap, after = float(futures.last[who].mean()), then[:, who].mean(axis=1)
    whom: str = Message("the mean of the regions")
    if parts["other"] is not None:
        other, whom = futures.of(parts["other"]), parts["other"]
        gap, after = gap - float(futures.last[other].mean()), after - then[:, other].mean(axis=1)
    if gap > -_LOG_TOLERANCE:
        raise InvalidInput(
            "{who} is not below {whom} in the last observed year, so it has no gap to close to it",
            who=parts["who"],
            whom=whom,
        )
    return np.asarray(after >= (1 - part) * gap)


def is_gap_to_mean(event: str) -> bool:
    """Whether an event is about the gap to the mean of all regions, the default reference."""
    happens, parts = _read(event)
    return happens is _closes and parts["other"] is None


def _overtakes(parts: Texts, futures: EventDraws, then: Array) -> Flags:
    who, other = futures.of(parts["who"]), futures.of(parts["other"])
    if set(who) == set(other):
        raise InvalidInput(
            "{who} and {other} are the same; nothing overtakes itself", who=parts["who"], other=parts["other"]
        )
    if futures.last[who].mean() > futures.last[other].mean():
        raise InvalidInput(
            "{who} is ahead of {other} already; ask the other way round", who=parts["who"], other=parts["other"]
        )
    return np.asarray(then[:, who].mean(axis=1) > then[:, other].mean(axis=1))


def _level(parts: Texts, futures: EventDraws, then: Array) -> Flags:
    size = float(parts["size"]) / 100
    if size <= 0:
        raise InvalidInput("a level must be above 0% of the mean")
    # Relative to the geometric mean, as in the table and figure shown with the probability.
    found = then[:, futures.of(parts["who"])].mean(axis=1)
    return np.asarray(found > np.log(size) if parts["side"].lower() == "above" else found < np.log(size))


def _dispersion(parts: Texts, futures: EventDraws, then: Array) -> Flags:
    before, after = float(np.nanstd(futures.last)), np.nanstd(then, axis=1)
    falls = parts["way"].lower() == "falls"
    part = 0.0 if parts["size"] is None else _size(parts, Message("a change of dispersion"))
    if falls and part >= 1:
        raise InvalidInput(
            "dispersion cannot fall by {size}%: regions would have to become equal; give less than 100%",
            size=parts["size"],
        )
    change = before - after if falls else after - before
    return np.asarray(change >= part * before if part else change > _LOG_TOLERANCE)


_RULES: dict[str, _Rule] = {
    rf"(?P<who>.+?) closes? {_NUMBER} of (?:its|the) gap(?: to (?P<other>.+?))?": _closes,
    r"(?P<who>.+?) overtakes? (?P<other>.+?)": _overtakes,
    rf"(?P<who>.+?) (?P<side>above|below) {_NUMBER} of the mean": _level,
    rf"(?:the )?dispersion (?P<way>falls|rises)(?: by {_NUMBER})?": _dispersion,
}


def share_of_draws(happens: Flags, *, is_ever: bool) -> float:
    """Share of draws in which an event happens: at any time (``is_ever``), or at the last; shape (draw, time)."""
    return float(np.mean(happens.any(axis=1) if is_ever else happens[:, -1]))


@frozen
class ThresholdEvent:
    """Event that a series is above or below a value."""

    text: str
    name: str
    value: float
    is_above: bool
    time: float
    is_ever: bool

    def probability(self, draws: "Mapping[str, xr.DataArray]") -> float:
        """Share of draws in which the event happens."""
        values = draws[self.name]
        shown = values["time"].to_numpy()
        times = shown.astype(float)
        asked = self.time if shown.dtype.kind != "M" else np.datetime64(date_of(self.time), "ns").astype(float)
        if asked > times[-1] + 1e-9 or asked < times[0] - 1e-9:
            first, last = said_time(shown[0]), said_time(shown[-1])
            raise InvalidInput(
                "event {text!r}: the forecast runs from {first} to {last}", text=self.text, first=first, last=last
            )
        if values.sizes["entity"] > 1:
            raise InvalidInput(
                "event {text!r}: {name!r} has several entities; forecast one of them", text=self.text, name=self.name
            )
        paths = values.isel(entity=0).transpose("draw", "time").to_numpy()
        place = int(np.abs(times - asked).argmin())
        until = paths[:, : place + 1]
        return share_of_draws(until > self.value if self.is_above else until < self.value, is_ever=self.is_ever)


def event_of(text: str, names: Sequence[str]) -> ThresholdEvent:
    """Parse an event such as ``"infected above 100 at 80"``, at that time; ``by 80`` means at any time up to it."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(
            "event {text!r}: expected something like 'infected above 100 by 80', at any time until then, or 'at 80'",
            text=text,
        )
    known = {name.casefold(): name for name in names}
    name = known.get(match["name"].strip().casefold())
    if name is None:
        raise InvalidInput(
            "event {text!r}: nothing called {match!r} is forecast.{suggestion}",
            text=text,
            match=match["name"],
            suggestion=suggest(match["name"], names),
        )
    return ThresholdEvent(
        text=text,
        name=name,
        value=float(match["value"]),
        is_above=match["way"].casefold() in ("above", "over"),
        time=time_of(match["time"]),
        is_ever=match["when"].casefold() == "by",
    )
