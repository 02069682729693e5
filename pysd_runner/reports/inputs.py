"""What a projection was made from, kept beside it so that it can be made again anywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.export import write_text_whole
from pysd_runner.export.records import file_digest
from pysd_runner.panel import Panel, Region
from pysd_runner.scenarios import Scenario
from pysd_runner.spec import Baseline, FittedParameters, load_baseline, load_fitted
from pysd_runner.spec.baseline import FILE

PANEL, FITTED = "panel.json", "fitted.json"
# Folder of a calibration inside that of the results, as the demonstration leaves it.
FIT = "fit"
SCHEMA = 1


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
                name: _once(item.save(folder / f"fitted_{name}.json"), folder / FIT / name / FITTED, folder)
                for name, item in self.others.items()
            },
            "compared": [item.to_dict() for item in self.compared],
            "regions": list(self.regions),
            "events": list(self.events),
        }
        if self.fitted is not None:
            stored["fitted"] = _once(self.fitted.save(folder / FITTED), folder / FIT / FITTED, folder)
        if self.baseline is not None:
            stored["baseline"] = _once(self.baseline.save(folder / FILE), folder / FIT / FILE, folder)
        return stored


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedFile:
    """A file of the folder, with the digest of its content."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedInputs:
    """What `Inputs.store` leaves in the record of a run."""

    source: str
    panel: RecordedFile
    others: Mapping[str, RecordedFile] = field(default_factory=dict)
    fitted: RecordedFile | None = None
    baseline: RecordedFile | None = None
    compared: tuple[Mapping[str, Any], ...] = ()
    regions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


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


def _once(path: Path, known: Path, folder: Path) -> dict[str, str]:
    """Where a file stands; one that the fit in the same folder has as well is not kept twice."""
    if known.is_file() and known.read_bytes() == path.read_bytes():
        path.unlink()
        return _entry(known, folder)
    return _entry(path, folder)


def _entry(path: Path, folder: Path) -> dict[str, str]:
    return {"file": path.relative_to(folder).as_posix(), "sha256": file_digest(path)}


def _checked(entry: Mapping[str, str], folder: Path) -> Path:
    path = folder / entry["file"]
    if folder.resolve() not in path.resolve().parents:
        raise InvalidInput(
            "run.json names {file!r}; expected a file of its own folder, which a run writes", file=entry["file"]
        )
    if not path.is_file():
        raise InvalidInput(
            "{path} is missing; a run replays from its whole folder of results, not from run.json alone", path=path
        )
    if file_digest(path) != entry["sha256"]:
        raise InvalidInput(
            "{path} is not the file this run wrote: its hash differs from the one in run.json", path=path
        )
    return path


def panel_to_dict(panel: Panel) -> dict[str, Any]:
    """Panel as plain data that JSON keeps exactly."""
    return {
        "schema": SCHEMA,
        "name": panel.name,
        "currency": panel.currency,
        "price_basis": panel.price_basis,
        "years": list(panel.years),
        "regions": [
            {
                "code": item.code,
                "name_en": item.name_en,
                "name_zh": item.name_zh,
                "group": item.group,
                "row": item.row,
                "column": item.column,
            }
            for item in panel.regions
        ],
        "units": {name: panel.units[name] for name in panel.values},
        "values": {name: _with_gaps(array) for name, array in panel.values.items()},
        "national": {name: {str(year): value for year, value in item.items()} for name, item in panel.national.items()},
        "flags": {name: array.tolist() for name, array in panel.marks.items()},
    }


def _with_gaps(array: Any) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in array]


def panel_from_dict(stored: Mapping[str, Any]) -> Panel:
    """Panel from what `panel_to_dict` gave."""
    if stored.get("schema") != SCHEMA:
        raise InvalidPanel(
            "a stored panel has schema {schema}; found {found!r}", schema=SCHEMA, found=stored.get("schema")
        )
    try:
        return _panel(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidPanel("the stored panel is damaged: {error!r}; use the run that wrote it", error=error) from error


def _panel(stored: Mapping[str, Any]) -> Panel:
    regions = tuple(Region(**item) for item in stored["regions"])
    years = tuple(int(year) for year in stored["years"])
    marks = {name: np.array(rows, dtype=object) for name, rows in stored["flags"].items()}
    panel = Panel(
        name=stored["name"],
        regions=regions,
        years=years,
        values={},
        units={},
        national={
            name: {int(year): value for year, value in item.items()} for name, item in stored["national"].items()
        },
        currency=stored["currency"],
        price_basis=stored["price_basis"],
    )
    values = {name: np.array(rows, dtype=float) for name, rows in stored["values"].items()}
    return panel.with_values(values, stored["units"], marks)
