"""A scenario of any model: values, steps and schedules of its constants, absolute or relative."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pysd_runner.core.errors import InvalidScenario, suggest
from pysd_runner.scenarios.document import Document, read_document
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.scenarios.problems import InvalidScenarioFile

if TYPE_CHECKING:
    from pysd_runner.scenarios.scenario import Scenario

SCHEMA = 2
INTERPOLATIONS = ("step", "linear")
_FACTOR = re.compile(r"[*x×]\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)")
_PERCENT = re.compile(r"([+-]\s*[0-9.]+)\s*[%％]")
_KEYS = ("schema", "name", "label", "note", "model", "changes")


@dataclass(frozen=True, slots=True)
class Relative:
    """A multiple of what holds without the scenario, in every draw."""

    factor: float

    def __str__(self) -> str:
        return f"{100 * (self.factor - 1):+g} %"


Amount = float | Relative


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What happens to one number."""

    times: tuple[float, ...] = ()
    amounts: tuple[Amount, ...]
    interpolate: Literal["step", "linear"] = "step"

    def __str__(self) -> str:
        if not self.times:
            return _said(self.amounts[0])
        joint = " then " if self.interpolate == "step" else " rising or falling to "
        return joint.join(f"{_said(a)} from {t:g}" for t, a in zip(self.times, self.amounts, strict=True))


def _said(amount: Amount) -> str:
    return str(amount) if isinstance(amount, Relative) else f"{amount:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelScenario:
    """A named set of changes to the constants of a model."""

    name: str
    changes: Mapping[str, Change] = field(default_factory=FrozenMapping)
    label: str = ""
    note: str = ""

    def describe(self) -> tuple[str, ...]:
        """Every change in a line."""
        return tuple(f"{name}: {change}" for name, change in self.changes.items())

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON keeps exactly, and `scenario_of` reads."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "label": self.label,
            "note": self.note,
            "changes": {name: _plain(change) for name, change in self.changes.items()},
        }


def _plain(change: Change) -> Any:
    said = [f"x{item.factor!r}" if isinstance(item, Relative) else item for item in change.amounts]
    if not change.times:
        return said[0]
    return {
        **{repr(time): item for time, item in zip(change.times, said, strict=True)},
        "interpolate": change.interpolate,
    }


def scenario_of(name: str, changes: Mapping[str, Any], *, label: str = "", note: str = "") -> ModelScenario:
    """Make a scenario of any model from values.

    Parameters
    ----------
    name
        Short name.
    changes
        By name of a constant, or of an element as ``"Contact Rate[north]"``: a number; `Relative`, or a text such as
        ``"x0.8"`` or ``"-20 %"``; or a schedule ``{20: 4, 40: "x0.5", "interpolate": "linear"}``.
    label, note
        Name for people, and what it is for.

    Returns
    -------
    ModelScenario
        Checked, but for the names, which meet their model later.

    Raises
    ------
    InvalidScenario
        If a value is none of these.

    Examples
    --------
    >>> scenario_of("lockdown", {"Contact Rate": {20: "x0.5", 40: 9}}).describe()
    ('Contact Rate: -50 % from 20 then 9 from 40',)
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidScenario(f"a scenario needs a name; found {name!r}")
    if not isinstance(changes, Mapping):
        raise InvalidScenario(f"scenario {name!r}: changes are a mapping from constants to values; found {changes!r}")
    found = {}
    for variable, value in changes.items():
        if not isinstance(variable, str):
            raise InvalidScenario(f"scenario {name!r}: a constant is named by a text; found {variable!r}")
        found[variable] = _change(value, f"scenario {name!r}: {variable}")
    return ModelScenario(name=name, changes=FrozenMapping(found), label=label or name, note=note)


def _change(value: Any, place: str) -> Change:
    if isinstance(value, Change):
        return value
    if not isinstance(value, Mapping):
        return Change(amounts=(_amount(value, place),))
    entries = dict(value)
    interpolate = entries.pop("interpolate", "step")
    if interpolate not in INTERPOLATIONS:
        raise InvalidScenario(f"{place}: interpolate: expected step or linear, found {interpolate!r}")
    if not entries:
        raise InvalidScenario(f"{place}: a schedule needs at least one time, such as {{20: 4}}")
    steps = sorted((_time(time, place), _amount(amount, f"{place} at {time}")) for time, amount in entries.items())
    times = tuple(time for time, _ in steps)
    if len(set(times)) < len(times):
        raise InvalidScenario(f"{place}: a time stands twice")
    return Change(times=times, amounts=tuple(amount for _, amount in steps), interpolate=interpolate)


def _time(text: Any, place: str) -> float:
    try:
        time = float(text)
    except (TypeError, ValueError):
        time = math.nan
    if not math.isfinite(time):
        raise InvalidScenario(f"{place}: expected a time in the model's unit, found {text!r}")
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
    raise InvalidScenario(f"{place}: expected a number, or a change such as 'x0.8' or '-20 %'; found {value!r}")


def load_model_scenario(path: str | Path) -> ModelScenario:
    """Read a scenario of any model."""
    path = Path(path)
    if not path.is_file():
        raise InvalidScenario(f"there is no scenario file {str(path)!r}")
    document = read_document(path)
    content = document.data
    if not isinstance(content, Mapping):
        raise InvalidScenario(f"{path.name}: expected a mapping with `changes`; found {type(content).__name__}")
    for key in content:
        if key not in _KEYS:
            raise InvalidScenarioFile(
                [document.report((key,), f"unknown key {key!r}", expected=f"one of {', '.join(_KEYS)}")]
            )
    if content.get("schema", SCHEMA) != SCHEMA:
        raise InvalidScenarioFile([document.report(("schema",), _schema_words(content), expected=str(SCHEMA))])
    try:
        return scenario_of(
            content.get("name", path.stem),
            content.get("changes", {}),
            label=_text(content, "label", document),
            note=_text(content, "note", document),
        )
    except InvalidScenario as error:
        if isinstance(error, InvalidScenarioFile):
            raise
        raise InvalidScenario(f"{path.name}: {error}") from error


def _schema_words(content: Mapping[str, Any]) -> str:
    return (
        f"scenarios of a model of your own have schema {SCHEMA}; schema {content['schema']} is that of the shipped "
        "regional model"
    )


def _text(content: Mapping[str, Any], key: str, document: Document) -> str:
    value = content.get(key, "")
    if isinstance(value, Mapping):
        value = value.get("en") or value.get("zh") or ""
    if not isinstance(value, str):
        raise InvalidScenarioFile([document.report((key,), "expected a text")])
    return value


def with_changes(
    scenario: "Scenario", name: str, assumptions: Mapping[str, float], policy: Mapping[str, Any]
) -> "Scenario":
    """Change settings of a scenario of the shipped model; see `Scenario.with_`."""
    from pysd_runner.scenarios.load import notices
    from pysd_runner.scenarios.policy import Policy

    known = tuple(item.name for item in fields(Policy))
    for key in policy:
        if key not in known:
            raise InvalidScenario(f"a policy has no setting {key!r}; it has {', '.join(known)}.{suggest(key, known)}")
    if not policy and not assumptions:
        raise InvalidScenario("nothing is changed; name a setting, as in with_(budget=0.006)")
    parts = [f"{key} {_short(value)}" for key, value in (*policy.items(), *assumptions.items())]
    called = name or "_".join([scenario.name, *(re.sub(r"[^\w.-]+", "_", part) for part in parts)])
    label = {lang: name or f"{text} ({', '.join(parts)})" for lang, text in (scenario.label or {"en": called}).items()}
    made = replace(scenario.policy, **policy)
    before, after = scenario.policy.settings(), made.settings()
    written = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return notices(
        replace(
            scenario,
            name=called,
            label=label,
            policy=made,
            assumptions={**scenario.assumptions, **assumptions},
            assumption_set=called if assumptions else scenario.assumption_set,
            changes=tuple(dict.fromkeys([*scenario.changes, *written])),
            reference=scenario.reference or scenario,
            warnings=(),
        )
    )


def _short(value: Any) -> str:
    """A setting in a name."""
    if isinstance(value, int | float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "changed"
