"""JSON Schema of scenario files, by which they are read and which editors use."""

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pysd_runner.core.types import Record, frozen
from pysd_runner.scenarios.policy import BUDGET_LIMIT, INTERPOLATIONS, REDISTRIBUTION_LIMIT, SCHEMA_VERSION
from pysd_runner.scenarios.vocabulary import Vocabulary, Words, load_vocabulary

if TYPE_CHECKING:
    from pysd_runner.model import Model

ALL = "all"
# Letters of any script; character ranges are spelt out because editors read \w in a JSON Schema as ASCII only.
NAME_PATTERN = r"^[^\s!-/:-@\[-`{-~][^\s!-,/:-@\[-^`{-~]{0,63}$"

INTERPOLATE = "interpolate"
YEAR_PATTERN = r"^(-?[0-9]+(\.[0-9]+)?|start( *\+ *[0-9]+(\.[0-9]+)?)?)$"
_YEAR = re.compile(
    r"(?:(?P<start>start)(?: *\+ *(?P<after>\d+(?:\.\d+)?))?|(?P<year>-?\d+(?:\.\d+)?))", re.ASCII | re.IGNORECASE
)


@frozen
class ScheduleYear:
    """One key of a schedule."""

    time: float  # calendar year, or years since the start of the policy
    since_start: bool  # whether it counts from the start of the policy


def parse_year(text: str) -> ScheduleYear | None:
    """Parse a key of a schedule; None if it is not a year.

    >>> parse_year("start+5")
    ScheduleYear(time=5.0, since_start=True)
    """
    match = _YEAR.fullmatch(text.strip())
    if match is None:
        return None
    since_start = match["start"] is not None
    time = float((match["after"] or 0) if since_start else match["year"])
    return ScheduleYear(time=time, since_start=since_start) if math.isfinite(time) else None


def write_year(time: float, since_start: bool) -> str:
    """Format a key of a schedule; the inverse of `parse_year`."""
    number = f"{time:.0f}" if time == int(time) else f"{Decimal(repr(time)):f}"
    if not since_start:
        return number
    return f"start+{number}" if time else "start"


def is_schedule(value: object) -> bool:
    """Whether a mapping of a scenario file is a schedule rather than a mix."""
    if not isinstance(value, dict):
        return False
    return any(
        isinstance(entry, dict) or key == INTERPOLATE or parse_year(str(key)) is not None or str(key)[:1].isdigit()
        for key, entry in value.items()
    )


NUMBER, TEXT, SHARE = {"type": "number"}, {"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}
WAY = {"enum": list(INTERPOLATIONS)}
LIST = {"type": "array", "items": TEXT}
NAMES = {"oneOf": [LIST, TEXT]}
TARGET = {"oneOf": [{"type": "array", "items": {**TEXT, "pattern": r"\S"}, "minItems": 1}, {**TEXT, "enum": [ALL]}]}


def _table(properties: Record, **more: Any) -> Record:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


LABEL = {"oneOf": [TEXT, _table({"en": TEXT, "zh": TEXT})]}
TARGETS = _table(
    {
        "regions": {"description": "Codes or names of regions, or `all`.", **TARGET},
        "groups": {"description": "Groups of regions as in regions.csv, or `all`.", **TARGET},
        "classes": {"description": "Classes of the digital index, or `all`.", **TARGET},
        "pilots": {
            "description": "Regions in which the policy is tried before it is spread; `all`: no pilots, all at once.",
            **TARGET,
        },
    },
    description="Targets of the spending: the union of regions and groups, restricted to classes within them.",
)


def _by_word(value: Record, words: Words, **more: Any) -> Record:
    """Schema of a mapping by lever or class; any key is allowed if their names are not known."""
    if not words:
        return {"type": "object", "additionalProperties": value, **more}
    return _table({word.key: {**value, "description": f"{word.en} {word.zh}"} for word in words.values()}, **more)


def file_schema(names: Vocabulary, years: str = "additionalProperties") -> Record:
    """Schema of a scenario file with the levers and classes of a model; `years` is the rule for keys of schedules."""

    def path(value: Record, about: str) -> Record:
        way = {"description": "Wins over `interpolate` of the policy.", **WAY}
        keys = {YEAR_PATTERN: value} if years == "patternProperties" else value
        return {**_table({INTERPOLATE: way}), years: keys, "description": about}

    budget = {"type": "number", "minimum": 0, "maximum": BUDGET_LIMIT}
    mix = _by_word(SHARE, names.levers, minProperties=1)
    switch = {"enum": ["on", "off", True, False], "description": "on, off, true or false"}
    budgets = path(budget, "Budget by year, or `start+5`, as share of national output; before it nothing is spent.")
    mixes = path(mix, "Mix by year, or `start+5`; the first mix also applies before its year.")
    switches = path(switch, "On or off by year, or `start+5`, for a lever; before the first year it is off.")
    limit = REDISTRIBUTION_LIMIT
    policy = {
        "start": {"description": "First year of the policy; default: the first year after the origin.", **NUMBER},
        "budget": {
            "description": "Share of national output a year, or a path over time.",
            "oneOf": [budget, budgets],
        },
        "mix": {
            "description": "Share of the budget by lever, sums to one; or a path over time.",
            "oneOf": [mix, mixes],
            "choose": is_schedule,
        },
        INTERPOLATE: {
            "description": "Between the years of the schedules of this file; without any, of the inherited ones.",
            **WAY,
        },
        "differentiation": {"description": "0 one mix for all, 1 a mix for each class.", **SHARE},
        "class_mixes": {"description": "A mix for each class; each sums to one.", **_by_word(mix, names.classes)},
        "levers": {
            "description": "Levers that are off, or on and off over time; their money stays unspent.",
            **_by_word({"oneOf": [switches, switch]}, names.levers),
        },
        "redistribution": {
            "description": "Exponent of need: -1 money follows output, 0 per head, 1 need.",
            "type": "number",
            "minimum": -limit,
            "maximum": limit,
        },
        "rural_broadband": {
            "description": "Part of the network money of lever access that goes to villages.",
            **SHARE,
        },
        "basic_training": {
            "description": "Part of the training money of lever skills that goes to basic courses.",
            **SHARE,
        },
        "rolling_evaluation": {
            "description": "Each region moves money to the levers that score well.",
            "type": "boolean",
        },
        "targets": TARGETS,
    }
    file = {
        "schema": {"description": "Version of the file format.", "enum": [SCHEMA_VERSION]},
        "name": {"description": "Default: the name of the file.", "pattern": NAME_PATTERN, **TEXT},
        "label": {"description": "Name for people: {en, zh}, or one text.", **LABEL},
        "note": {"description": "What the scenario is for: {en, zh}, or one text.", **LABEL},
        "extends": {"description": "Names or files, applied left to right; default: baseline.", **NAMES},
        "compare_with": {"description": "Shipped scenarios that must be shown beside this one.", **NAMES},
        "policy": _table(policy, description="Settings of the policy; omitted keys are inherited."),
        "assumptions": {
            "description": "What is not chosen, by parameter key or name in the model; the baseline has it too.",
            "type": "object",
            "additionalProperties": NUMBER,
        },
    }
    about = "A scenario of gapsim: a named policy and assumptions, as changes to the scenario it extends."
    return _table(file, required=["schema"], title="gapsim scenario", description=about)


def scenario_schema(model: "str | Model" = "regional_digital") -> Record:
    """JSON Schema of a scenario file.

    Parameters
    ----------
    model
        Name of a shipped model, or a loaded model, from which the names of levers and classes are taken.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12, for editors that complete and check YAML.

    Raises
    ------
    UnknownName
        If no shipped model has that name.
    """
    found = file_schema(load_vocabulary(model), "patternProperties")
    del found["properties"]["policy"]["properties"]["mix"]["choose"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
