"""What ships, by kind: name, unit and label."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pysd_runner.core.errors import UnknownName, suggest


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueEntry:
    """One thing that has a name."""

    kind: str
    name: str  # what commands and files call it
    unit: str = ""  # unit of a number, otherwise empty
    en: str = ""
    zh: str = ""

    def label(self, language: str) -> str:
        """Label in a language, ``"en"`` or ``"zh"``."""
        return self.zh if language == "zh" else self.en


def catalogue(kind: str, *, model: str) -> tuple[CatalogueEntry, ...]:
    """Everything of one kind."""
    if kind not in _LISTS:
        raise UnknownName(
            "nothing of kind {kind!r} can be listed; choose from {known}.{suggestion}",
            kind=kind,
            known=", ".join(KINDS),
            suggestion=suggest(kind, KINDS),
        )
    return _LISTS[kind](model)


def _scenarios(model: str) -> tuple[CatalogueEntry, ...]:
    from pysd_runner.scenarios import load_scenario, shipped_scenarios

    found = [load_scenario(name, model=model) for name in shipped_scenarios(model)]
    return tuple(
        CatalogueEntry(kind="scenario", name=item.name, en=item.label["en"], zh=item.label["zh"]) for item in found
    )


def _panels(model: str) -> tuple[CatalogueEntry, ...]:
    from pysd_runner.core.paths import model_file
    from pysd_runner.panel.shipped import DECLARATIONS, shipped_panels

    home = model_file(model).parent
    found = {name: path for name, path in shipped_panels().items() if home in path.parents}
    covers = {name: _coverage(path.parent / DECLARATIONS) for name, path in found.items()}
    return tuple(CatalogueEntry(kind="panel", name=name, en=text, zh=text) for name, text in covers.items())


def _coverage(sources: Path) -> str:
    """What a panel covers, as the file beside it says."""
    return str(tomllib.loads(sources.read_text(encoding="utf-8")).get("coverage", "")) if sources.is_file() else ""


def _models(_: str) -> tuple[CatalogueEntry, ...]:
    from pysd_runner.core.paths import models_folder

    files = sorted(models_folder().glob("*/model.mdl"))
    return tuple(CatalogueEntry(kind="model", name=file.parent.name) for file in files)


def _declared(section: str, kind: str) -> Callable[[str], tuple[CatalogueEntry, ...]]:
    def entries(model: str) -> tuple[CatalogueEntry, ...]:
        from pysd_runner.spec.load import load_bound_spec

        declared = getattr(load_bound_spec(model), section)
        return tuple(
            CatalogueEntry(kind=kind, name=key, unit=getattr(item, "unit", ""), en=item.en, zh=item.zh)
            for key, item in declared.items()
        )

    return entries


_LISTS: dict[str, Callable[[str], tuple[CatalogueEntry, ...]]] = {
    "scenarios": _scenarios,
    "panels": _panels,
    "models": _models,
    "levers": _declared("levers", "lever"),
    "classes": _declared("classes", "class"),
    "outcomes": _declared("outcomes", "outcome"),
    "parameters": _declared("parameters", "parameter"),
    "inputs": _declared("inputs", "input"),
    "measurements": _declared("measurements", "measurement"),
}

KINDS = tuple(_LISTS)
