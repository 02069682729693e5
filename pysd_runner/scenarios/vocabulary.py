"""The words a model lends to scenario files: its levers and its classes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pysd_runner.core.paths import is_shipped, model_file
from pysd_runner.scenarios.frozen import FrozenMapping
from pysd_runner.spec import ModelSpec
from pysd_runner.spec.bindings import RangeNames
from pysd_runner.spec.load import load_bound_spec

USUAL_RANGES = RangeNames(region="Region", lever="Lever", policy_class="Class")


class ModelVariable(Protocol):
    """What is needed of a variable of a model."""

    @property
    def name(self) -> str:
        """Name in the model file."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Ranges it is subscripted by."""

    @property
    def kind(self) -> str:
        """``"constant"``, ``"stock"``, ``"auxiliary"``, ``"control"`` or another kind."""


class ScenarioModel(Protocol):
    """What is needed of a model, so that scenarios do not depend on how it is loaded."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def path(self) -> Path:
        """The model file."""

    @property
    def spec(self) -> ModelSpec | None:
        """Declarations of the model, if it has any."""

    @property
    def ranges(self) -> Mapping[str, tuple[str, ...]]:
        """Elements of each subscript range."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """Variables by name."""

    def find(self, name: str) -> str:
        """Canonical name of a variable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One lever or class."""

    key: str  # what scenario files call it
    element: str  # element of the model's range
    en: str
    zh: str

    def label(self, language: str) -> str:
        """Label in a language, ``"en"`` or ``"zh"``."""
        return self.zh if language == "zh" else self.en


Words = FrozenMapping[Word]
NO_WORDS: Words = FrozenMapping()


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """Levers and classes by key; empty where a model has none."""

    levers: Words = NO_WORDS
    classes: Words = NO_WORDS


def find_word(text: str, words: Words) -> Word | None:
    """Word with this key, element or label, in any case."""
    wanted = text.strip().casefold()
    spellings = ((word, (word.key, word.element, word.en, word.zh)) for word in words.values())
    return next((word for word, names in spellings if wanted in {name.casefold() for name in names}), None)


def scenario_folder(model: str | ScenarioModel) -> Path:
    """Folder with the scenarios that ship with a model."""
    return (model_file(model) if isinstance(model, str) else model.path).parent / "scenarios"


def model_name(model: str | ScenarioModel) -> str:
    """Name of a model that may be given by name."""
    if not isinstance(model, str):
        return model.name
    return model if is_shipped(model) else load_bound_spec(model).name


def load_vocabulary(model: str | ScenarioModel) -> Vocabulary:
    """Levers and classes of a model."""
    spec = load_bound_spec(model) if isinstance(model, str) else model.spec
    if spec is not None:
        return Vocabulary(levers=_declared(spec.levers.values()), classes=_declared(spec.classes.values()))
    ranges = {} if isinstance(model, str) else model.ranges
    return Vocabulary(
        levers=_elements(ranges.get(USUAL_RANGES.lever, ())),
        classes=_elements(ranges.get(USUAL_RANGES.policy_class, ())),
    )


def policy_variables(model: ScenarioModel) -> Mapping[str, str]:
    """Variable of each setting of a policy; empty where a model binds none."""
    return {} if model.spec is None or model.spec.bindings is None else model.spec.bindings.policy


def range_names(model: ScenarioModel) -> RangeNames:
    """Ranges of regions, levers and classes, under their usual names where a model binds none."""
    return USUAL_RANGES if model.spec is None or model.spec.bindings is None else model.spec.bindings.ranges


def _declared(entries: Iterable[Any]) -> Words:
    return FrozenMapping(
        (entry.key, Word(key=entry.key, element=entry.element, en=entry.en, zh=entry.zh)) for entry in entries
    )


def _elements(elements: Iterable[str]) -> Words:
    return FrozenMapping(
        (name.casefold(), Word(key=name.casefold(), element=name, en=name, zh=name)) for name in elements
    )
