"""Inputs of a projection, stored with its results, and replay of the projection with a comparison of the results."""

import json
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message
from pysd_runner.core.paths import declarations_beside, is_shipped
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.data import Data, Entity, load_data, shipped_panels
from pysd_runner.data.cells import Column
from pysd_runner.engine import Engine
from pysd_runner.export import write_text_whole
from pysd_runner.export.layout import rounded
from pysd_runner.export.records import check_entries, file_digest
from pysd_runner.model import Model
from pysd_runner.scenarios import Scenario, load_scenario, shipped_scenarios
from pysd_runner.spec import Baseline, FittedParameters, load_baseline, load_fitted
from pysd_runner.spec.baseline import FILE
from pysd_runner.spec.design import KEPT_ERROR
from pysd_runner.spec.own import study_changes
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.loading import REMEDY, changed_files, read_outcomes, read_run_record
from pysd_runner.study.projection import model_again, projected

DATA, FITTED, BEFORE = "data.json", "fitted.json", "fitted_before.json"
# Folder of a calibration inside a folder of results, as written by the demonstration.
FIT = "fit"
# Folder of a copy of the model, and the files of its folder that are copied besides declarations and data files.
MODEL = "model"
BESIDE = ("checks.toml", "references.bib", "scenarios/*.yaml", "evidence/*.csv", "evidence/*.toml")
SCHEMA = 2


@frozen
class Inputs:
    """Inputs of a projection besides its scenarios: model, panel, fits, forecast and requested output."""

    panel: Data | None
    model: Model | None = None
    source: str = ""  # name of shipped data, or file they were read from
    fitted: FittedParameters | None = None  # parameters of a calibration, or None
    before: FittedParameters | None = None  # the fit before it was reweighted by measured effects, if it was
    others: Mapping[str, FittedParameters] = field(default_factory=dict)
    baseline: Baseline | None = None  # the forecast it started from, or None
    compared: tuple[Scenario, ...] = ()  # policies that are compared but not projected
    regions: tuple[str, ...] = ()  # regions shown in figures; empty for a selection spread over all
    events: tuple[str, ...] = ()  # events whose probability under each scenario is requested

    def store(self, folder: Path) -> Record:
        """Write the inputs into a folder of results, and return their record."""
        stored: dict[str, Any] = {
            "source": self.source,
            "others": {
                name: _once(item.save(folder / f"fitted_{name}.json"), folder / FIT / name / FITTED, folder)
                for name, item in self.others.items()
            },
            "compared": [item.to_dict() for item in self.compared],
            "regions": list(self.regions),
            "events": list(self.events),
        }
        if self.model is not None and not is_shipped(self.model.source):
            stored["model"] = _model_record(self.model, folder)
        if self.panel is not None:
            text = json.dumps(data_to_dict(self.panel), ensure_ascii=False, allow_nan=False)
            stored["panel"] = _entry(write_text_whole(folder / DATA, text + "\n"), folder)
        if self.fitted is not None:
            stored["fitted"] = _once(self.fitted.save(folder / FITTED), folder / FIT / FITTED, folder)
        if self.before is not None:
            stored["before"] = _once(self.before.save(folder / BEFORE), folder / FIT / FITTED, folder)
        if self.baseline is not None:
            stored["baseline"] = _once(self.baseline.save(folder / FILE), folder / FIT / FILE, folder)
        return stored


@frozen
class RecordedFile:
    """A file of the folder, with the digest of its content."""

    file: str
    sha256: str


@frozen
class RecordedModel:
    """A copy of a model that is not shipped: its file, its data files by name, and other files of its folder."""

    file: RecordedFile
    data: Mapping[str, RecordedFile]
    beside: tuple[RecordedFile, ...]


@frozen
class RecordedInputs:
    """The entry of `Inputs.store` in the record of a run."""

    source: str
    model: RecordedModel | None = None
    panel: RecordedFile | None = None
    others: Mapping[str, RecordedFile] = field(default_factory=dict)
    fitted: RecordedFile | None = None
    before: RecordedFile | None = None
    baseline: RecordedFile | None = None
    compared: tuple[Record, ...] = ()
    regions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


def read_inputs(record: Record | None, folder: Path) -> Inputs:
    """Read the inputs that `Inputs.store` wrote; raise for results that `Future.save` wrote without them."""
    if record is None:
        raise InvalidInput(
            "{folder} holds results that were saved in Python, without their data and fit; make them with `gapsim run`",
            folder=folder,
        )
    carried = record.get("model") or {"data": {}, "beside": ()}
    for entry in (*carried["data"].values(), *carried["beside"], *([carried["file"]] if "file" in carried else [])):
        _checked(entry, folder)
    readers = {"fitted": load_fitted, "before": load_fitted, "baseline": load_baseline}
    found: dict[str, Any] = {key: read(_checked(record[key], folder)) for key, read in readers.items() if key in record}
    file = _checked(record["panel"], folder) if record.get("panel") else None
    return Inputs(
        panel=None if file is None else data_from_dict(json.loads(file.read_text(encoding="utf-8"))),
        source=str(record["source"]),
        others={name: load_fitted(_checked(entry, folder)) for name, entry in dict(record.get("others") or {}).items()},
        compared=tuple(Scenario.from_dict(item) for item in record.get("compared") or ()),
        regions=tuple(record.get("regions") or ()),
        events=tuple(record.get("events") or ()),
        **found,
    )


def _once(path: Path, known: Path, folder: Path) -> Texts:
    """Record of a file; if the fit in the same folder has an identical one, that one is recorded and kept."""
    if known.is_file() and known.read_bytes() == path.read_bytes():
        path.unlink()
        return _entry(known, folder)
    return _entry(path, folder)


def _model_record(model: Model, folder: Path) -> Record:
    """Copy a model with its declarations and data files into a folder of results, and return the record."""
    home, copies = model.path.parent, folder / MODEL

    def copied(path: Path, place: Path) -> Texts:
        made = copies / place
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, made)
        return _entry(made, folder)

    declared = declarations_beside(model.path)
    listed = study_changes(declared) if declared.is_file() else []
    changes = [path for path in listed if path.resolve().is_relative_to(home.resolve())]
    beside = [path for path in (declared, *changes, *chain(*map(home.glob, BESIDE))) if path.is_file()]
    data = {name: Path(path) for name, path in model.ir.named.items()}
    return {
        "file": copied(model.path, Path(model.path.name)),
        "data": {
            name: copied(path, path.relative_to(home) if path.is_relative_to(home) else Path(f"{number}_{path.name}"))
            for number, (name, path) in enumerate(data.items())
        },
        "beside": [copied(path, path.relative_to(home)) for path in sorted(beside)],
    }


def _entry(path: Path, folder: Path) -> Texts:
    return {"file": path.relative_to(folder).as_posix(), "sha256": file_digest(path)}


def _checked(entry: Texts, folder: Path) -> Path:
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


def data_to_dict(data: Data) -> Record:
    """Data as plain values that JSON represents exactly."""
    made = {name: data.provenance[name] for name in ("reading", "yuan_per_unit") if data.provenance.get(name)}
    return {
        "schema": SCHEMA,
        **{name: getattr(data, name) for name in ("name", "time_unit", "currency", "price_basis")},
        "times": data.times.tolist(),
        "dates": [item.isoformat() for item in data.dates],
        "entities": {axis: list(map(asdict, found)) for axis, found in data.entities.items()},
        "columns": [
            {
                **{name: getattr(item, name) for name in ("name", "unit", "variable")},
                "axes": list(item.axes),
                "values": np.where(np.isnan(item.values), np.array(None), item.values.astype(object)).tolist(),
                "marks": None if item.marks is None else item.marks.tolist(),
                "times": None if item.times is None else item.times.tolist(),
            }
            for item in data.columns.values()
        ],
        **({"provenance": made} if made else {}),
    }


def data_from_dict(stored: Record) -> Data:
    """Data from the result of `data_to_dict`."""
    if stored.get("schema") != SCHEMA:
        raise InvalidPanel(
            "stored data have schema {schema}; found {found!r}: another version wrote them, make the results again",
            schema=SCHEMA,
            found=stored.get("schema"),
        )
    try:
        columns = [
            Column(
                **{name: item[name] for name in ("name", "unit", "variable")},
                axes=tuple(item["axes"]),
                values=np.array(item["values"], dtype=float),
                marks=None if item["marks"] is None else np.array(item["marks"], dtype=object),
                times=None if item["times"] is None else np.array(item["times"], dtype=float),
            )
            for item in stored["columns"]
        ]
        return Data(
            **{name: stored[name] for name in ("name", "time_unit", "currency", "price_basis")},
            times=np.array(stored["times"], dtype=float),
            dates=tuple(map(datetime.fromisoformat, stored["dates"])),
            entities={axis: tuple(Entity(**item) for item in found) for axis, found in stored["entities"].items()},
            columns={item.name: item for item in columns},
            provenance=stored.get("provenance", {}),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidPanel(
            "the stored data are damaged: {error!r}; use the run that wrote them", error=error
        ) from error


@frozen
class RecordedSettings:
    """Settings of a run."""

    until: float | None
    draws: int
    seed: int
    origin: int | None
    shocks: bool
    yuan_per_unit: float


@frozen
class RecordedPanel:
    """Name and hash of the panel of a run."""

    name: str
    sha256: str
    yuan_per_unit: float = 1.0
    reading: Record = field(default_factory=dict)


@frozen
class RecordedSimulation:
    """Model and engine of a run; the record may have further entries."""

    model: str
    model_sha256: str
    engine: Engine


@frozen
class RunRecord:
    """Entries of the record of a run that a replay needs."""

    settings: RecordedSettings
    panel: RecordedPanel | None
    simulation: Record
    scenarios: tuple[Record, ...]
    versions: Texts
    inputs: RecordedInputs


@frozen
class Replay:
    """A repeated projection, compared with the recorded one."""

    projection: Future
    inputs: Inputs  # inputs of the projection
    changed: tuple[str, ...]  # what has changed since the run was recorded, one sentence each
    is_identical: bool | None  # whether all numbers are the same, bit by bit; None if not compared
    largest: float  # largest relative difference of a number; 0 when identical

    @property
    def verdict(self) -> str:
        """One sentence about the comparison with the recorded results."""
        if self.is_identical is None:
            return Message("The recorded results are not beside the record, so the numbers could not be compared.")
        if self.is_identical:
            return Message("The numbers are identical to the recorded ones, bit by bit.")
        return Message("The numbers differ from the recorded ones, by up to {size:.3g} of a value.", size=self.largest)


def is_record(path: str | Path) -> bool:
    """Whether a file is the record of a run."""
    file = Path(path)
    if file.suffix.lower() != ".json" or not file.is_file():
        return False
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return False
    return isinstance(found, dict) and {"settings", "scenarios", "simulation"} <= set(found)


def draws_of(path: str | Path) -> int:
    """Number of draws of a recorded run."""
    return int(_read(Path(path))["settings"]["draws"])


def replay(path: str | Path, *, progress: Callable[[int], None] | None = None) -> Replay:
    """Repeat a recorded projection."""
    # Scenarios, panel and fit are those of the record, even if the original files have changed.
    file = Path(path)
    record = _read(file)
    inputs = read_inputs(record.get("inputs"), file.parent)
    model = model_again(record, inputs.panel)
    scenarios = [Scenario.from_dict(stored) for stored in record["scenarios"]]
    settings = {key: value for key, value in record["settings"].items() if value is not None}
    engine = record["simulation"]["engine"]
    common = inputs_of(model, inputs.panel, inputs.fitted, baseline=inputs.baseline, engine=engine, **settings)
    projection = projected(common, inputs.panel, scenarios, engine=engine, progress=progress, is_stored=True)
    projection = replace(projection, delta=record.get("delta"))
    made_with = record["simulation"]
    then, now = made_with["model_sha256"], model.sha256
    changed = changed_files(file.parent, record)
    if then != now:
        changed.append(f"model {made_with['model']!r} has changed since this run: {then[:12]} then, {now[:12]} now")
    changed += [
        *_changed_panel(record, inputs),
        *_changed_scenarios(scenarios, model.source),
        *_changed_versions(record["versions"]),
    ]
    is_identical, largest = _compared(file.parent, projection)
    return Replay(
        projection=projection, inputs=inputs, changed=tuple(changed), is_identical=is_identical, largest=largest
    )


def _read(file: Path) -> Record:
    """Read a record, and check that it has all entries a replay needs."""
    record = read_run_record(file)
    check_entries(RunRecord, record, str(file), REMEDY, is_open=True)
    check_entries(RecordedSimulation, record["simulation"], f"{file}: simulation", REMEDY, is_open=True)
    return record


def _changed_panel(record: Record, inputs: Inputs) -> list[str]:
    """Changes of the panel since the run; the copy stored with the record is used in any case."""
    if inputs.panel is None:
        return []
    then = record["panel"]["sha256"]
    if inputs.panel.sha256 != then:
        return [
            f"the panel beside the record is not the one of this run: {then[:12]} then, {inputs.panel.sha256[:12]} now"
        ]
    if inputs.source in shipped_panels() and load_data(inputs.source, panel=True).sha256 != then:
        return [f"the shipped panel {inputs.source!r} has changed since this run; the copy beside the record was used"]
    return []


def _changed_scenarios(scenarios: list[Scenario], model: str) -> list[str]:
    shipped = shipped_scenarios(model) if is_shipped(model) else ()
    return [
        f"the shipped scenario {item.name!r} has changed since this run; the recorded one was used"
        for item in scenarios
        if item.name in shipped and load_scenario(item.name, model=model).policy != item.policy
    ]


def _changed_versions(then: Texts) -> list[str]:
    now = {name: platform.python_version() if name == "python" else _version(name) for name in then}
    return [f"{name} {before} then, {now[name]} now" for name, before in then.items() if now[name] != before]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _compared(folder: Path, projection: Future) -> tuple[bool | None, float]:
    """Compare with the recorded results: whether they are identical, and the largest relative difference."""
    if not (folder / "projection.nc").is_file():
        return None, 0.0
    recorded = read_outcomes(folder / "projection.nc")
    largest, is_identical = 0.0, set(recorded) <= set(projection.data)
    is_rounded = any(values.dtype == np.float32 for values in recorded.data_vars.values())
    made = rounded(projection.data, KEPT_ERROR) if is_rounded else projection.data
    for name in set(recorded) & set(projection.data):
        before, after = recorded[name].to_numpy(), made[name].to_numpy()
        if before.shape == after.shape and before.tobytes() == after.tobytes():
            continue
        is_identical = False
        if before.shape != after.shape:
            return False, float("inf")
        scale = np.maximum(np.abs(before), np.finfo(float).tiny)
        largest = max(largest, float(np.nanmax(np.abs(after - before) / scale)))
    return is_identical, largest
