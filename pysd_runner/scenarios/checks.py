"""What the data model cannot see: sums, names and years, looked for in the document as it was written."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from pysd_runner.core.errors import UnknownName, suggest
from pysd_runner.scenarios.document import Document, KeyPath
from pysd_runner.scenarios.policy import (
    BUDGET_LIMIT,
    BUDGET_USUAL,
    MIX_TOLERANCE,
    REDISTRIBUTION_LIMIT,
    REDISTRIBUTION_USUAL,
)
from pysd_runner.scenarios.problems import Problem, quoted
from pysd_runner.scenarios.regions import ScenarioRegion, find_group, find_region
from pysd_runner.scenarios.vocabulary import Vocabulary, Words, find_word
from pysd_runner.scenarios.years import INTERPOLATE, is_schedule, parse_year

EARLIEST_YEAR = 1000
_MAY_BE_EMPTY: tuple[KeyPath, ...] = (
    ("policy",),
    ("assumptions",),
    ("policy", "targets"),
    ("policy", "class_mixes"),
    ("policy", "levers"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Names a scenario may use; empty where they are not known yet."""

    vocabulary: Vocabulary
    regions: Sequence[ScenarioRegion] = ()  # regions of the panel


def meaning_problems(document: Document, names: Names) -> Iterator[Problem]:
    """Problems of meaning in a document."""
    yield from _empty_values(document.data, (), document)
    policy = _mapping(_mapping(document.data).get("policy"))
    yield from _schedules(policy, document)
    for path, mix in _mixes(policy):
        yield from _check_mix(path, mix, document, names.vocabulary.levers)
    yield from _class_names(policy, document, names.vocabulary.classes)
    yield from _unknown_words(
        ("policy", "levers"), _mapping(policy.get("levers")), document, names.vocabulary.levers, "lever"
    )
    yield from _targets(_mapping(policy.get("targets")), document, names)
    yield from _unusual(policy, document)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def is_number(value: Any) -> TypeGuard[float]:
    """Whether something read from a file is a finite number and no switch."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _empty_values(value: Any, path: KeyPath, document: Document) -> Iterator[Problem]:
    if value is None and path and path not in _MAY_BE_EMPTY:
        yield document.report(path, "the key has no value", remedy="Give one, or remove the key.")
    for key, entry in _entries(value):
        yield from _empty_values(entry, (*path, key), document)


def _entries(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _schedules(policy: dict[str, Any], document: Document) -> Iterator[Problem]:
    for key in ("budget", "mix"):
        value = policy.get(key)
        if isinstance(value, dict) and (key == "budget" or is_schedule(value)):
            yield from _check_years(("policy", key), value, document)

    for name, value in _mapping(policy.get("levers")).items():
        if isinstance(value, dict):
            yield from _check_years(("policy", "levers", name), value, document)
            if value.get(INTERPOLATE, "step") != "step":
                yield document.report(("policy", "levers", name, INTERPOLATE), "a lever is on or off, nothing between")


def _check_years(path: KeyPath, schedule: dict[str, Any], document: Document) -> Iterator[Problem]:
    years = {key: parse_year(key) for key in schedule if key != INTERPOLATE}
    if not years:
        yield document.report(path, "the schedule has no years", expected="a year, or start+5, with a value")
    for key, year in years.items():
        if year is None:
            expected = "a year, `start` or `start+5`"
            yield document.report((*path, key), "not a year", found=quoted(key), expected=expected)
        elif not year.since_start and abs(year.time) < EARLIEST_YEAR:
            remedy = f"Years since the start are written `start+{key}`."
            yield document.report((*path, key), "an early year", found=key, remedy=remedy, severity="warning")
    known = [year for year in years.values() if year is not None]
    if len({year.since_start for year in known}) > 1:
        message = "calendar years and years since the start in one schedule"
        yield document.report(path, message, expected="one kind")
    elif len({year.time for year in known}) < len(known):
        yield document.report(path, "the same year is written in two ways", found=quoted(list(years)))


def _mixes(policy: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    mix = policy.get("mix")
    if is_schedule(mix):
        years = ((("policy", "mix", year), entry) for year, entry in _mapping(mix).items())
        yield from ((path, entry) for path, entry in years if path[-1] != INTERPOLATE)
    elif mix is not None:
        yield ("policy", "mix"), mix
    for name, entry in _mapping(policy.get("class_mixes")).items():
        yield ("policy", "class_mixes", name), entry


def _check_mix(path: KeyPath, mix: Any, document: Document, levers: Words) -> Iterator[Problem]:
    shares = _mapping(mix)
    yield from _unknown_words(path, shares, document, levers, "lever")
    if shares and all(is_number(share) for share in shares.values()):
        total = math.fsum(shares.values())
        if abs(total - 1) > MIX_TOLERANCE:
            yield document.report(
                path,
                f"the shares sum to {total:.10g}",
                expected="1",
                remedy=f"{'Add' if total < 1 else 'Take away'} {abs(1 - total):.10g}.",
            )


def _class_names(policy: dict[str, Any], document: Document, classes: Words) -> Iterator[Problem]:
    mixes = _mapping(policy.get("class_mixes"))
    yield from _unknown_words(("policy", "class_mixes"), mixes, document, classes, "class")
    chosen = _as_list(_mapping(policy.get("targets")).get("classes"))
    for position, name in enumerate(chosen):
        if classes and isinstance(name, str) and find_word(name, classes) is None:
            yield _unknown_word(("policy", "targets", "classes", position), name, document, classes, "class")


def _unknown_words(
    path: KeyPath, entries: dict[str, Any], document: Document, words: Words, kind: str
) -> Iterator[Problem]:
    if not words:
        return
    seen: dict[str, str] = {}
    for name in entries:
        word = find_word(name, words)
        if word is None:
            yield _unknown_word((*path, name), name, document, words, kind)
        elif word.key in seen:
            message = f"the {kind} is written twice, also as {seen[word.key]!r}"
            yield document.report((*path, name), message)
        else:
            seen[word.key] = name


def _unknown_word(path: KeyPath, name: str, document: Document, words: Words, kind: str) -> Problem:
    spellings = [text for word in words.values() for text in (word.en, word.zh, word.key)]
    expected = f"one of {', '.join(words)}"
    return document.report(path, f"unknown {kind} {name!r}", expected=expected, remedy=suggest(name, spellings))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _targets(targets: dict[str, Any], document: Document, names: Names) -> Iterator[Problem]:
    for key, find in (("regions", find_region), ("groups", find_group), ("pilots", find_region)):
        for position, name in enumerate(_as_list(targets.get(key))):
            if names.regions and isinstance(name, str):
                try:
                    find(name, names.regions)
                except UnknownName as error:
                    path = ("policy", "targets", key, position)
                    yield document.report(path, str(error))


def _unusual(policy: dict[str, Any], document: Document) -> Iterator[Problem]:
    budget = policy.get("budget")
    amounts: dict[KeyPath, Any] = {("policy", "budget", year): amount for year, amount in _mapping(budget).items()}
    for path, amount in (amounts or {("policy", "budget"): budget}).items():
        if is_number(amount) and BUDGET_USUAL < amount <= BUDGET_LIMIT:
            message = f"more than {BUDGET_USUAL:.0%} of national output a year; unit costs were set for less"
            yield document.report(path, message, found=f"{amount:g}", severity="warning")
    exponent = policy.get("redistribution")
    low, high = REDISTRIBUTION_USUAL
    if is_number(exponent) and not low <= exponent <= high and abs(exponent) <= REDISTRIBUTION_LIMIT:
        message = f"outside the usual {low:g} to {high:g}"
        yield document.report(("policy", "redistribution"), message, found=f"{exponent:g}", severity="warning")
