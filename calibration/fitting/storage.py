"""The folder a fit is kept in: ``fitted.json`` for the runner, ``fit.json`` for everything else, tables for people."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from calibration.fitting.description import Description
from calibration.fitting.diagnostics import Finding
from calibration.fitting.estimates import LocalOptimum, ParameterEstimate, RidgeEstimate, Search, SeriesFit
from calibration.fitting.results import FitResult, ResidualTable
from calibration.observation import Shocks
from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_text_whole
from pysd_runner.spec.fitted import check_schema, load_fitted

SCHEMA = 2
FITTED, RECORD, RESIDUALS, PARAMETERS = "fitted.json", "fit.json", "residuals.csv", "parameters.csv"

Kind = TypeVar("Kind")


def write(result: FitResult, folder: Path) -> Path:
    """Write a fit; see `FitResult.save`."""
    from pysd_runner.export.frames import save_csv

    result.fitted.save(folder / FITTED)
    save_csv(result.to_frame(), folder / RESIDUALS)
    save_csv(result.table(), folder / PARAMETERS)
    text = json.dumps(record(result), indent=1, ensure_ascii=False, allow_nan=False)
    write_text_whole(folder / RECORD, text + "\n")
    return folder


def record(result: FitResult) -> dict[str, Any]:
    """Everything a fit holds besides the fitted parameters, as JSON can hold it; null stands for NaN."""
    content = {
        "schema": SCHEMA,
        "cost": result.cost,
        "stage_distance": result.stage_distance,
        "seconds": result.seconds,
        "findings": [asdict(item) for item in result.findings],
        "parameters": [asdict(item) for item in result.parameters],
        "series": [asdict(item) for item in result.series],
        "searches": [asdict(item) for item in result.searches],
        "optima": [asdict(item) for item in result.optima],
        "ridges": [asdict(item) for item in result.ridges],
        "shocks": None if result.shocks is None else asdict(result.shocks),
        "description": asdict(result.description),
        "region_names": {code: list(names) for code, names in result.region_names.items()},
        "residuals": asdict(result.residuals),
    }
    plain = _plain(content)
    return dict(plain)


def read(folder: Path) -> FitResult:
    """Read a fit; see `FitResult.load`."""
    for name in (FITTED, RECORD):
        if not (folder / name).is_file():
            raise InvalidInput(f"{folder} holds no fit: {name} is missing; expected a folder written by a calibration")
    fitted = load_fitted(folder / FITTED)
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{folder / RECORD} is not valid JSON: {error}") from error
    check_schema(content, folder / RECORD, "fits", SCHEMA)
    try:
        return FitResult(
            fitted=fitted,
            parameters=_many(ParameterEstimate, content["parameters"]),
            series=_many(SeriesFit, content["series"]),
            residuals=_one(ResidualTable, content["residuals"]),
            searches=_many(Search, content["searches"]),
            optima=_many(LocalOptimum, content["optima"]),
            ridges=_many(RidgeEstimate, content["ridges"]),
            shocks=None if content["shocks"] is None else _one(Shocks, content["shocks"]),
            description=_one(Description, content["description"]),
            findings=_many(Finding, content["findings"]),
            region_names={code: (names[0], names[1]) for code, names in content["region_names"].items()},
            cost=_back(content["cost"]),
            stage_distance=_back(content["stage_distance"]),
            seconds=_back(content["seconds"]),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidInput(f"{folder / RECORD}: an entry is missing or malformed: {error}") from error


def _one(kind: Callable[..., Kind], entries: Mapping[str, Any]) -> Kind:
    return kind(**{name: _back(value) for name, value in entries.items()})


def _many(kind: Callable[..., Kind], rows: list[Mapping[str, Any]]) -> tuple[Kind, ...]:
    return tuple(_one(kind, row) for row in rows)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity; null stands for the first, the second is refused later."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _back(value: Any) -> Any:
    if value is None:
        return math.nan
    if isinstance(value, list):
        return tuple(_back(item) for item in value)
    if isinstance(value, dict):
        return {key: _back(item) for key, item in value.items()}
    return value
