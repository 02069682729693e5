"""What a projection was made from, kept beside it so that it can be made again anywhere."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export import write_text_whole
from pysd_runner.panel import Panel
from pysd_runner.reports.stored_panel import panel_from_dict, panel_to_dict
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import Baseline, FittedParameters, load_baseline, load_fitted
from pysd_runner.spec.baseline import FILE

PANEL, FITTED = "panel.json", "fitted.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Panel, fits and forecast of a projection, and what was asked beside its scenarios."""

    panel: Panel
    source: str  # shipped name or file it was read from
    fitted: FittedParameters | None = None  # parameters of a calibration, or None
    others: Mapping[str, FittedParameters] = field(default_factory=dict)
    baseline: Baseline | None = None  # the forecast it started from, or None
    compared: tuple[Scenario, ...] = ()  # policies that are compared and not projected
    regions: tuple[str, ...] = ()  # regions shown in figures; empty for some spread over all
    events: tuple[str, ...] = ()  # events whose probability under each scenario is wanted

    def store(self, folder: Path) -> dict[str, Any]:
        """Write them into a folder of results."""
        text = json.dumps(panel_to_dict(self.panel), ensure_ascii=False, allow_nan=False)
        stored: dict[str, Any] = {
            "source": self.source,
            "panel": _entry(write_text_whole(folder / PANEL, text + "\n"), folder),
            "others": {
                name: _entry(item.save(folder / f"fitted_{name}.json"), folder) for name, item in self.others.items()
            },
            "compared": [item.to_dict() for item in self.compared],
            "regions": list(self.regions),
            "events": list(self.events),
        }
        if self.fitted is not None:
            stored["fitted"] = _entry(self.fitted.save(folder / FITTED), folder)
        if self.baseline is not None:
            stored["baseline"] = _entry(self.baseline.save(folder / FILE), folder)
        return stored


def read_inputs(record: Mapping[str, Any], folder: Path) -> Inputs:
    """Read what `Inputs.store` wrote."""
    fitted = load_fitted(_checked(record["fitted"], folder)) if "fitted" in record else None
    baseline = load_baseline(_checked(record["baseline"], folder)) if "baseline" in record else None
    panel = panel_from_dict(json.loads(_checked(record["panel"], folder).read_text(encoding="utf-8")))
    return Inputs(
        panel=panel,
        source=str(record["source"]),
        fitted=fitted,
        others={name: load_fitted(_checked(entry, folder)) for name, entry in dict(record.get("others") or {}).items()},
        baseline=baseline,
        compared=tuple(Scenario.from_dict(item) for item in record.get("compared") or ()),
        regions=tuple(record.get("regions") or ()),
        events=tuple(record.get("events") or ()),
    )


def _entry(path: Path, folder: Path) -> dict[str, str]:
    return {"file": path.relative_to(folder).as_posix(), "sha256": _digest(path)}


def _checked(entry: Mapping[str, str], folder: Path) -> Path:
    path = folder / entry["file"]
    if not path.is_file():
        raise InvalidInput(
            f"{path} is missing; a run replays from its whole folder of results, not from run.json alone"
        )
    if _digest(path) != entry["sha256"]:
        raise InvalidInput(f"{path} is not the file this run wrote: its hash differs from the one in run.json")
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
