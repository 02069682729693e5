"""Load projections from results folders, refusing changed or damaged files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.export import load_netcdf
from pysd_runner.export.records import check_entries, file_digest, read_record
from pysd_runner.scenarios import Scenario
from pysd_runner.spec.design import kept_design
from pysd_runner.study.future import Future
from pysd_runner.study.labelling import COMPARED, OBSERVED, OUTCOMES, PARAMETERS, RECORD, SCHEMA, completed

if TYPE_CHECKING:
    import xarray as xr

    from pysd_runner.data import Data

REMEDY = Message("run the scenarios again")


@frozen
class Recorded:
    """Required entries of the record of a regional projection, besides its provenance."""

    origin: int
    baselines: Texts
    imputed: tuple[str, ...]
    warnings: tuple[str, ...]
    files: Texts = field(default_factory=dict)  # digests of the files in its folder, by name
    model: str = ""
    observed: Texts = field(default_factory=dict)
    better: Texts = field(default_factory=dict)
    time_unit: str = "year"
    design: Record = field(default_factory=dict)
    delta: float | None = None


def load_future(folder: str | Path) -> Future:
    """Load a projection that was saved with `Future.save`.

    Parameters
    ----------
    folder
        A results folder.

    Returns
    -------
    Future
        The saved projection; outcomes of regions have a relative rounding error of 1e-5.

    Raises
    ------
    InvalidInput
        If the folder does not contain a projection, or one of its files is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInput("there is no folder {folder!r}; give the folder that `gapsim run` wrote", folder=str(folder))
    missing = [name for name in (OUTCOMES, "history.nc", RECORD) if not (folder / name).is_file()]
    if missing:
        raise InvalidInput(
            "{folder} holds no projection: {files} missing; expected a results folder",
            folder=folder,
            files=", ".join(missing),
        )
    file = folder / RECORD
    record = read_run_record(file)
    data, history = read_outcomes(folder / OUTCOMES), _read_dataset(folder / "history.nc")
    names = {str(name) for name in data["scenario"].to_numpy()}
    if names != set(record["baselines"]) or not names.issuperset(record["baselines"].values()):
        raise InvalidInput("{file}: baselines: expected one for each scenario of projection.nc", file=file)
    parameters = _read_parameters(folder / f"{PARAMETERS}.nc", data)
    # Check digests last, so that a file that is not a projection is reported as such.
    check_files(folder, record)
    simulated = record.get("simulation")
    return Future(
        data=completed(data),
        cast=tuple(Scenario.from_dict(item) for item in record.get("scenarios", ())),
        model=record.get("model") or (str(simulated.get("model", "")) if isinstance(simulated, Mapping) else ""),
        history=history,
        parameters=parameters,
        observations=_read_observed(folder / OBSERVED),
        observed=record.get("observed", {}),
        better=record.get("better", {}),
        time_unit=record.get("time_unit", "year"),
        design=kept_design(record.get("design")),
        compared=_read_dataset(folder / COMPARED) if (folder / COMPARED).is_file() else None,
        delta=record.get("delta"),
        origin=record["origin"],
        baselines=record["baselines"],
        imputed=tuple(record["imputed"]),
        warnings=tuple(record["warnings"]),
        provenance={name: value for name, value in record.items() if name not in Recorded.__dataclass_fields__},
    )


def _read_observed(file: Path) -> "Data | None":
    """Read the data that observe outcomes; None if there are none."""
    import pandas as pd

    from pysd_runner.data import load_data

    if not file.is_file():
        return None
    frame = pd.read_csv(file, encoding="utf-8-sig").rename(columns={"column": "variable"})
    known = [axis for axis in frame.columns if axis not in ("time", "variable", "value")]
    return replace(load_data(frame, time="time", entity=known or None), name="observed")


def read_outcomes(file: Path) -> "xr.Dataset":
    """Read the stored outcomes of a projection, without recomputing the others."""
    data = _read_dataset(file)
    for name in ("scenario", "draw", *(("region", "year") if "time" not in data.coords else ("time",))):
        if name not in data.coords:
            raise InvalidInput("{file}: no coordinate {name!r}; expected a projection", file=file, name=name)
        if data[name].ndim != 1:
            raise InvalidInput("{file}: {name}: expected a list; run the scenarios again", file=file, name=name)
        twice = [value for value, count in Counter(data[name].to_numpy().tolist()).items() if count > 1]
        if twice:
            raise InvalidInput(
                "{file}: duplicate {name} {twice!r}; run the scenarios again", file=file, name=name, twice=twice[0]
            )
    texts = [name for name, values in data.data_vars.items() if values.dtype.kind not in "fiub"]
    if texts:
        raise InvalidInput("{file}: {name}: expected numbers; run the scenarios again", file=file, name=texts[0])
    return data


def read_run_record(file: Path) -> Record:
    """Read the record of a projection."""
    record = read_record(file, schema=SCHEMA, what=Message("record of a projection"), remedy=REMEDY)
    check_entries(Recorded, record, str(file), REMEDY, is_open=True)
    carried = (record.get("inputs") or {}).get("model")
    if carried:
        home = file.parent.absolute()
        record["simulation"] |= {
            "model_file": str(home / carried["file"]["file"]),
            "model_data": {name: str(home / item["file"]) for name, item in carried["data"].items()},
        }
    return record


def changed_files(folder: Path, record: Record) -> list[str]:
    """List the files in the folder of a projection whose digests differ from those in its record."""
    return [
        Message("{path} is not the file this run wrote: its hash differs from the one in run.json", path=folder / name)
        for name, digest in record.get("files", {}).items()
        if (folder / name).is_file() and file_digest(folder / name) != digest
    ]


def check_files(folder: Path, record: Record) -> None:
    """Raise if a file of a projection was changed after it was saved."""
    for text in changed_files(folder, record):
        raise InvalidInput(text)


def _read_parameters(file: Path, data: "xr.Dataset") -> "xr.DataArray | None":
    """Read the parameter draws; None for results of earlier versions, which have none."""
    if not file.is_file():
        return None
    found = _read_dataset(file).get(PARAMETERS)
    if found is None or found.dims != ("parameter", "draw") or not found["draw"].equals(data["draw"]):
        raise InvalidInput("{file} does not belong to the projection beside it; run the scenarios again", file=file)
    return found


def _read_dataset(file: Path) -> "xr.Dataset":
    try:
        return load_netcdf(file)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise InvalidInput(
            "{file} cannot be read: {reason}; expected the netCDF file of a projection: run the scenarios again",
            file=file,
            reason=error,
        ) from error
