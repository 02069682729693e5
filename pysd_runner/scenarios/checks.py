"""Validate scenario documents: against the data model, and for sums, names and years that it cannot check."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from pysd_runner.core.errors import InvalidScenario, Message, UnknownName, suggest
from pysd_runner.core.findings import Finding
from pysd_runner.core.json_schema import Fault, KeyPath, faults, quoted
from pysd_runner.core.types import Record
from pysd_runner.scenarios.document import InvalidScenarioFile, ScenarioDocument, join_path
from pysd_runner.scenarios.policy import (
    BUDGET_LIMIT,
    BUDGET_USUAL,
    MIX_TOLERANCE,
    REDISTRIBUTION_LIMIT,
    REDISTRIBUTION_USUAL,
    SCHEMA_VERSION,
)
from pysd_runner.scenarios.schema import INTERPOLATE, file_schema, is_schedule, parse_year
from pysd_runner.scenarios.vocabulary import Vocabulary, Words, find_word
from pysd_runner.text import LANGUAGES

EARLIEST_YEAR = 1000
_MAY_BE_EMPTY: tuple[KeyPath, ...] = (
    ("policy",),
    ("assumptions",),
    ("policy", "targets"),
    ("policy", "class_mixes"),
    ("policy", "levers"),
)


def meaning_problems(document: ScenarioDocument, names: Vocabulary) -> Iterator[Finding]:
    """Check values, sums, names and years of a document."""
    policy = _mapping(_mapping(document.data).get("policy"))
    yield from _schedules(policy, document)
    for path, mix in _mixes(policy):
        yield from _check_mix(path, mix, document, names.levers)
    yield from _class_names(policy, document, names.classes)
    yield from _unknown_words(("policy", "levers"), _mapping(policy.get("levers")), document, names.levers, "lever")
    yield from _targets(_mapping(policy.get("targets")), document, names)
    yield from _unusual(policy, document)


def stored_file(stored: Record, extra: Sequence[str]) -> Record:
    """Validate a stored scenario as a scenario file; `extra` lists keys that such files do not have."""
    if not isinstance(stored, Mapping):
        raise InvalidScenario("a stored scenario is a mapping; found {found}", found=quoted(stored))
    name = stored.get("name")
    document = ScenarioDocument(
        place=Message("stored scenario {name}", name=name) if name else Message("stored scenario"),
        data={key: value for key, value in stored.items() if key not in extra},
    )
    problems = [*validation_problems(document), *meaning_problems(document, Vocabulary())]
    errors = [problem for problem in problems if problem.severity == "error"]
    if name is None or errors:
        raise InvalidScenarioFile(errors or [document.report(("name",), Message("the key is missing"))])
    return document.data  # type: ignore[no-any-return]


def _mapping(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value read from a file is a finite number and not a boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _schedules(policy: Record, document: ScenarioDocument) -> Iterator[Finding]:
    for key in ("budget", "mix"):
        value = policy.get(key)
        if isinstance(value, dict) and (key == "budget" or is_schedule(value)):
            yield from _check_years(("policy", key), value, document)

    for name, value in _mapping(policy.get("levers")).items():
        if isinstance(value, dict):
            yield from _check_years(("policy", "levers", name), value, document)
            if value.get(INTERPOLATE, "step") != "step":
                yield document.report(
                    ("policy", "levers", name, INTERPOLATE), Message("a lever is on or off, nothing between")
                )


def _check_years(path: KeyPath, schedule: Record, document: ScenarioDocument) -> Iterator[Finding]:
    years = {key: parse_year(key) for key in schedule if key != INTERPOLATE}
    if not years:
        yield document.report(
            path, Message("the schedule has no years"), expected=Message("a year, or start+5, with a value")
        )
    for key, year in years.items():
        if year is None:
            expected = Message("a year, `start` or `start+5`")
            yield document.report((*path, key), Message("not a year"), found=quoted(key), expected=expected)
        elif not year.since_start and abs(year.time) < EARLIEST_YEAR:
            remedy = Message("Years since the start are written `start+{key}`.", key=key)
            yield document.report((*path, key), Message("an early year"), found=key, remedy=remedy, severity="warning")
    known = [year for year in years.values() if year is not None]
    if len({year.since_start for year in known}) > 1:
        message = Message("calendar years and years since the start in one schedule")
        yield document.report(path, message, expected=Message("one kind"))
    elif len({year.time for year in known}) < len(known):
        yield document.report(path, Message("the same year is written in two ways"), found=quoted(list(years)))


def _mixes(policy: Record) -> Iterator[tuple[KeyPath, Any]]:
    mix = policy.get("mix")
    if is_schedule(mix):
        years = ((("policy", "mix", year), entry) for year, entry in _mapping(mix).items())
        yield from ((path, entry) for path, entry in years if path[-1] != INTERPOLATE)
    elif mix is not None:
        yield ("policy", "mix"), mix
    for name, entry in _mapping(policy.get("class_mixes")).items():
        yield ("policy", "class_mixes", name), entry


def _check_mix(path: KeyPath, mix: Any, document: ScenarioDocument, levers: Words) -> Iterator[Finding]:
    shares = _mapping(mix)
    yield from _unknown_words(path, shares, document, levers, Message("lever"))
    if shares and all(is_number(share) for share in shares.values()):
        total = math.fsum(shares.values())
        if abs(total - 1) > MIX_TOLERANCE:
            yield document.report(
                path,
                Message("the shares sum to {total:.10g}", total=total),
                expected="1",
                remedy=Message("Add {value:.10g}.", value=1 - total)
                if total < 1
                else Message("Take away {value:.10g}.", value=total - 1),
            )


def _class_names(policy: Record, document: ScenarioDocument, classes: Words) -> Iterator[Finding]:
    mixes = _mapping(policy.get("class_mixes"))
    yield from _unknown_words(("policy", "class_mixes"), mixes, document, classes, Message("class"))
    chosen = _as_list(_mapping(policy.get("targets")).get("classes"))
    for position, name in enumerate(chosen):
        if classes and isinstance(name, str) and find_word(name, classes) is None:
            yield _unknown_word(("policy", "targets", "classes", position), name, document, classes, Message("class"))


def _unknown_words(
    path: KeyPath, entries: Record, document: ScenarioDocument, words: Words, kind: str
) -> Iterator[Finding]:
    if not words:
        return
    seen: dict[str, str] = {}
    for name in entries:
        word = find_word(name, words)
        if word is None:
            yield _unknown_word((*path, name), name, document, words, kind)
        elif word.key in seen:
            message = Message("the {what} is written twice, also as {other!r}", what=kind, other=seen[word.key])
            yield document.report((*path, name), message)
        else:
            seen[word.key] = name


def _unknown_word(path: KeyPath, name: str, document: ScenarioDocument, words: Words, kind: str) -> Finding:
    spellings = [text for word in words.values() for text in (word.en, word.zh, word.key)]
    expected = Message("one of {names}", names=", ".join(words))
    return document.report(
        path,
        Message("unknown {what} {name!r}", what=kind, name=name),
        expected=expected,
        remedy=suggest(name, spellings),
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _targets(targets: Record, document: ScenarioDocument, names: Vocabulary) -> Iterator[Finding]:
    for key, find in names.targets.items():
        for position, name in enumerate(_as_list(targets.get(key))):
            if isinstance(name, str):
                try:
                    find(name)
                except UnknownName as error:
                    path = ("policy", "targets", key, position)
                    yield document.report(path, str(error))


def _unusual(policy: Record, document: ScenarioDocument) -> Iterator[Finding]:
    budget = policy.get("budget")
    amounts: dict[KeyPath, Any] = {("policy", "budget", year): amount for year, amount in _mapping(budget).items()}
    for path, amount in (amounts or {("policy", "budget"): budget}).items():
        if is_number(amount) and BUDGET_USUAL < amount <= BUDGET_LIMIT:
            message = Message(
                "more than {share:.0%} of national output a year; unit costs were set for less", share=BUDGET_USUAL
            )
            yield document.report(path, message, found=f"{amount:g}", severity="warning")
    exponent = policy.get("redistribution")
    low, high = REDISTRIBUTION_USUAL
    if is_number(exponent) and not low <= exponent <= high and abs(exponent) <= REDISTRIBUTION_LIMIT:
        message = Message("outside the usual {low:g} to {high:g}", low=low, high=high)
        yield document.report(("policy", "redistribution"), message, found=f"{exponent:g}", severity="warning")


_FILE = file_schema(Vocabulary())
_POLICY = _FILE["properties"]["policy"]["properties"]
# Permitted keys of the parts of a file.
KEYS: Mapping[KeyPath, tuple[str, ...]] = {
    (): tuple(_FILE["properties"]),
    ("policy",): tuple(_POLICY),
    ("policy", "targets"): tuple(_POLICY["targets"]["properties"]),
    ("label",): LANGUAGES,
}


def validation_problems(document: ScenarioDocument) -> list[Finding]:
    """Violations of the schema of scenario files by a document."""
    found = faults(document.data, _FILE)
    return [_problem(fault, document) for fault in found if fault.found is not None or fault.path not in _MAY_BE_EMPTY]


def _problem(fault: Fault, document: ScenarioDocument) -> Finding:
    path, rule = fault.path, fault.rule
    if rule == "additionalProperties":
        key = str(fault.found)
        message = Message("unknown key {setting!r}", setting=key)
        return document.report(path, message, expected=fault.expected, remedy=_place_of(key, fault.wanted))
    if rule == "required":
        remedy = Message("Write `schema: {schema_version}`.", schema_version=SCHEMA_VERSION)
        return document.report(path, Message("the key is missing"), remedy=remedy)
    if fault.found is None and path:
        return document.report(path, Message("the key has no value"), remedy=Message("Give one, or remove the key."))
    message, found, expected = _SAID[fault.wanted if rule == "type" else rule], quoted(fault.found), fault.expected
    if path[1:2] == ("targets",):
        if rule == "minItems":
            message = Message("nothing would be left to target")
            found, expected = "", Message("at least one name, or `all`")
        elif rule == "enum":
            message, expected = Message("not a list"), Message("[{found}] or `all`", found=fault.found)
    elif rule == "enum" and path == ("schema",):
        message = Message("unknown version of the file format")
    elif rule == "pattern" and path == ("name",):
        expected = Message("at most 64 letters, digits, _, . or -, starting with a letter or digit")
    return document.report(path, message, found=found, expected=expected, remedy=_remedy(fault))


def _place_of(key: str, known: Sequence[str]) -> str:
    """The most similar key that is permitted here, or the part of the file in which a key is permitted."""
    home = next((parent for parent, keys in KEYS.items() if key in keys), None)
    near = suggest(key, known)
    if near or home is None:
        return near
    return (
        Message("Move it under `{join_path}`.", join_path=join_path(home))
        if home
        else Message("Move it to the top level.")
    )


def _remedy(fault: Fault) -> str:
    found, rule = fault.found, fault.rule
    if rule == "maximum" and fault.path[1:2] == ("budget",):
        return Message("The budget is a share of national output: 0.3% is 0.003.")
    if rule == "maximum" and fault.wanted == 1:
        return Message("Shares are fractions: 30% is 0.30.")
    if rule == "type" and fault.wanted == "number" and isinstance(found, str):
        if found.strip().endswith(("%", "％")):
            return Message("Write a fraction: 30% is 0.30.")
        if "," in found or "，" in found:
            return Message("Write a decimal point.")
    return ""


_SAID = {
    "string": Message("not a text"),
    "number": Message("not a number"),
    "boolean": Message("not a switch"),
    "array": Message("not a list"),
    "object": Message("not a mapping"),
    "enum": Message("unknown word"),
    "pattern": Message("not usable as a name"),
    "minimum": Message("out of range"),
    "maximum": Message("out of range"),
    "minItems": Message("empty"),
    "minProperties": Message("empty"),
}
