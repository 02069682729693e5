"""Data model of scenario files, and the JSON Schema generated from it."""

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from pysd_runner.core.types import Record, frozen
from pysd_runner.scenarios.policy import BUDGET_LIMIT, REDISTRIBUTION_LIMIT
from pysd_runner.scenarios.vocabulary import Vocabulary, Words, load_vocabulary

if TYPE_CHECKING:
    from pysd_runner.model import Model

ALL = "all"
# Letters of any script; character ranges are spelt out because editors read \w in a JSON Schema as ASCII only.
NAME_PATTERN = r"^[^\s!-/:-@\[-`{-~][^\s!-,/:-@\[-^`{-~]{0,63}$"
CLASS_MIXES_TITLE = "Class mixes"
LEVERS_TITLE = "Levers"

# Tags of union members; the angle brackets distinguish them from file keys in error locations.
TEXT, LANGUAGES, ALTERNATIVE_LIST = "<text>", "<languages>", "<list>"
CONSTANT, PATH = "<constant>", "<path>"
TAGS = frozenset((TEXT, LANGUAGES, ALTERNATIVE_LIST, CONSTANT, PATH))

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


def _text_or_languages(value: Any) -> str:
    return LANGUAGES if isinstance(value, (dict, Languages)) else TEXT


def _constant_or_path(value: Any) -> str:
    return PATH if isinstance(value, dict) else CONSTANT


def _mix_or_path(value: Any) -> str:
    return PATH if is_schedule(value) else CONSTANT


def _word_or_list(value: Any) -> str:
    return TEXT if isinstance(value, str) else ALTERNATIVE_LIST


class _Part(BaseModel):
    """Base class of the parts of a file: no unknown keys, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Languages(_Part):
    """A text in one or both languages; a missing one falls back to the other."""

    en: str | None = None
    zh: str | None = None


Text = Annotated[Annotated[str, Tag(TEXT)] | Annotated[Languages, Tag(LANGUAGES)], Discriminator(_text_or_languages)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Budget = Annotated[float, Field(ge=0, le=BUDGET_LIMIT)]
Mix = Annotated[dict[str, Share], Field(min_length=1)]


def _path_schema(schema: dict[str, Any]) -> None:
    schema["patternProperties"] = {YEAR_PATTERN: schema.pop("additionalProperties")}
    schema["additionalProperties"] = False


class _Path(_Part):
    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=_path_schema)

    interpolate: Literal["step", "linear"] | None = Field(
        default=None, description="Wins over `interpolate` of the policy."
    )


class BudgetPath(_Path):
    """Budget by year, or `start+5`, as share of national output; before the first year nothing is spent."""

    __pydantic_extra__: dict[str, Budget]


class MixPath(_Path):
    """Mix by year, or `start+5`; the first mix also applies before its year."""

    __pydantic_extra__: dict[str, Mix]


BudgetSetting = Annotated[
    Annotated[Budget, Tag(CONSTANT)] | Annotated[BudgetPath, Tag(PATH)], Discriminator(_constant_or_path)
]
MixSetting = Annotated[Annotated[Mix, Tag(CONSTANT)] | Annotated[MixPath, Tag(PATH)], Discriminator(_mix_or_path)]
Switch = Annotated[bool | Literal["on", "off"], Field(description="on, off, true or false")]


class SwitchPath(_Path):
    """On or off by year, or `start+5`, for a lever; before the first year it is off."""

    __pydantic_extra__: dict[str, Switch]


SwitchSetting = Annotated[
    Annotated[Switch, Tag(CONSTANT)] | Annotated[SwitchPath, Tag(PATH)], Discriminator(_constant_or_path)
]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
Target = Annotated[
    Annotated[Literal["all"], Tag(TEXT)] | Annotated[Names, Tag(ALTERNATIVE_LIST)], Discriminator(_word_or_list)
]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Targets(_Part):
    """Targets of the spending: the union of regions and groups, restricted to classes within them."""

    regions: Target | None = Field(default=None, description="Codes or names of regions, or `all`.")
    groups: Target | None = Field(default=None, description="Groups of regions as in regions.csv, or `all`.")
    classes: Target | None = Field(default=None, description="Classes of the digital index, or `all`.")
    pilots: Target | None = Field(
        default=None,
        description="Regions in which the policy is tried before it is spread; `all`: no pilots, all at once.",
    )


class PolicyPart(_Part):
    """Settings of the policy; omitted keys are inherited."""

    start: Finite | None = Field(
        default=None, description="First year of the policy; default: the first year after the origin."
    )
    budget: BudgetSetting | None = Field(
        default=None, description="Share of national output a year, or a path over time."
    )
    mix: MixSetting | None = Field(
        default=None, description="Share of the budget by lever, sums to one; or a path over time."
    )
    interpolate: Literal["step", "linear"] | None = Field(
        default=None, description="Between the years of the schedules of this file; without any, of the inherited ones."
    )
    differentiation: Share | None = Field(default=None, description="0 one mix for all, 1 a mix for each class.")
    class_mixes: Annotated[dict[str, Mix], Field(title=CLASS_MIXES_TITLE)] | None = Field(
        default=None, description="A mix for each class; each sums to one."
    )
    levers: Annotated[dict[str, SwitchSetting], Field(title=LEVERS_TITLE)] | None = Field(
        default=None, description="Levers that are off, or on and off over time; their money stays unspent."
    )
    redistribution: Annotated[float, Field(ge=-REDISTRIBUTION_LIMIT, le=REDISTRIBUTION_LIMIT)] | None = Field(
        default=None, description="Exponent of need: -1 money follows output, 0 per head, 1 need."
    )
    rural_broadband: Share | None = Field(
        default=None, description="Part of the network money of lever access that goes to villages."
    )
    basic_training: Share | None = Field(
        default=None, description="Part of the training money of lever skills that goes to basic courses."
    )
    rolling_evaluation: bool | None = Field(
        default=None, description="Each region moves money to the levers that score well."
    )
    targets: Targets | None = None


class ScenarioFile(_Part):
    """A scenario of gapsim: a named policy and assumptions, as changes to the scenario it extends."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, title="gapsim scenario")

    schema_version: Literal[1] = Field(alias="schema", description="Version of the file format.")
    name: Annotated[str, Field(pattern=NAME_PATTERN)] | None = Field(
        default=None, description="Default: the name of the file."
    )
    label: Text | None = Field(default=None, description="Name for people: {en, zh}, or one text.")
    note: Text | None = Field(default=None, description="What the scenario is for: {en, zh}, or one text.")
    extends: Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str])] | None = Field(
        default=None, description="Names or files, applied left to right; default: baseline."
    )
    compare_with: Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str])] | None = (
        Field(default=None, description="Shipped scenarios that must be shown beside this one.")
    )
    policy: PolicyPart | None = None
    assumptions: dict[str, Finite] | None = Field(
        default=None, description="What is not chosen, by parameter key or name in the model; the baseline has it too."
    )


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
    vocabulary = load_vocabulary(model)
    schema = ScenarioFile.model_json_schema(mode="validation", by_alias=True)
    _complete(schema, vocabulary)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _complete(schema: Any, vocabulary: Vocabulary) -> None:
    """Remove nulls, which only mean "left out", and add the names of levers and classes."""
    for entry in _inner(schema):
        _complete(entry, vocabulary)
    if isinstance(schema, dict):
        _drop_null(schema)
        if isinstance(schema.get("additionalProperties"), dict):
            _name_keys(schema, _keys_of(schema, vocabulary))


def _inner(schema: Any) -> list[Any]:
    if isinstance(schema, dict):
        return list(schema.values())
    return schema if isinstance(schema, list) else []


def _drop_null(schema: dict[str, Any]) -> None:
    choices = schema.get("anyOf", [])
    kept = [choice for choice in choices if choice != {"type": "null"}]
    if len(kept) < len(choices):
        schema.pop("default", None)
        del schema["anyOf"]
        schema.update({**kept[0], **schema} if len(kept) == 1 else {"anyOf": kept})


def _keys_of(schema: dict[str, Any], vocabulary: Vocabulary) -> Words:
    if schema.get("title") == CLASS_MIXES_TITLE:
        return vocabulary.classes
    return vocabulary.levers if schema.get("minProperties") or schema.get("title") == LEVERS_TITLE else {}


def _name_keys(schema: dict[str, Any], words: Words) -> None:
    if words:
        value = schema["additionalProperties"]
        schema["properties"] = {word.key: {**value, "description": f"{word.en} {word.zh}"} for word in words.values()}
        schema["additionalProperties"] = False
