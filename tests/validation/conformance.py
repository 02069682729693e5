"""Runs every model of a folder through the engines and compares the results with those published beside it.

``python -m tests.validation.conformance FOLDER`` for a checkout of SDXorg/test-models; nothing of it stands here. Model
files are read, never executed.
"""

import argparse
import json
import re
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from pysd_runner.core.errors import GapsimError, InvalidModel, UnsupportedFeature
from pysd_runner.engine.choice import Engine
from pysd_runner.engine.frontend.source import read_source
from pysd_runner.engine.ir import Method
from pysd_runner.engine.names import key
from pysd_runner.engine.values import TimePath
from pysd_runner.model import Model, load_model
from pysd_runner.simulation import simulate
from tests.validation.canonical import (
    Published,
    columns_of,
    differences,
    published_file,
    read_published,
    variables_of,
)

ENDINGS = frozenset({".mdl", ".xmile", ".xml", ".stmx"})
ENGINES: tuple[Engine, ...] = tuple(name for name in ("numpy", "llvm", "pysd") if name in get_args(Engine))

PASS, CLOSE, MISMATCH, NOT_COVERED, FAILED = "pass", "close", "mismatch", "not covered", "failed"
UNREADABLE, NOTHING_PUBLISHED, NOTHING_TO_COMPARE = "cannot be read", "nothing published", "nothing to compare"

# Where the values of data variables stand that a model expects from whoever runs it.
DATA_FILES = ("data.tab", "data.csv")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one engine did on one model."""

    status: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """How all engines did on one model, how many columns were compared, and which are about nothing in it."""

    model: str
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    compared: int = 0
    unknown: list[str] = field(default_factory=list)


def method_of(engine: str) -> Method | None:
    """PySD integrates by Euler, whatever the file asks for."""
    return "euler" if engine == "pysd" else None


def model_files(folder: Path, pattern: str = "") -> Iterator[Path]:
    """Model files below a folder whose path holds a regular expression, in alphabetical order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and re.search(pattern, path.relative_to(folder).as_posix()):
            yield path


def examine(path: Path, folder: Path, engines: Sequence[Engine], draws: int = 1) -> Report:
    """Run one model through some engines, as many equal draws, and compare the last with what is published."""
    report = Report(path.relative_to(folder).as_posix())
    source = published_file(path.parent)
    try:
        read_source(path)
    except InvalidModel as error:
        report.verdicts = dict.fromkeys(engines, Verdict(UNREADABLE, _short(str(error), path)))
        return report
    try:
        model = load_model(path)
        model.ir  # noqa: B018 - says why a model is not covered at all
    except InvalidModel as error:
        status = NOT_COVERED if isinstance(error, UnsupportedFeature) else FAILED
        status = status if source is not None else NOTHING_PUBLISHED
        report.verdicts = dict.fromkeys(engines, Verdict(status, _short(str(error), path)))
        return report
    if source is None:
        report.verdicts = {name: _only_run(model, name) for name in engines}
        return report
    published = read_published(source)
    places, report.unknown = columns_of(model, published)
    report.compared = len(places)
    for name in engines:
        report.verdicts[name] = _judged(lambda name=name: _compare(model, published, name, draws), path)
    return report


def _judged(action: Callable[[], Verdict], path: Path) -> Verdict:
    begin = time.perf_counter()
    try:
        verdict = action()
    except UnsupportedFeature as error:
        verdict = Verdict(NOT_COVERED, _short(str(error), path))
    except GapsimError as error:
        verdict = Verdict(FAILED, _short(str(error), path))
    except Exception as error:  # noqa: BLE001 - what a fault of ours looks like
        where = traceback.extract_tb(error.__traceback__)[-1]
        verdict = Verdict(
            FAILED, f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {error}"[:300]
        )
    return Verdict(verdict.status, verdict.detail, round(time.perf_counter() - begin, 3))


def _only_run(model: Model, engine: Engine) -> Verdict:
    def action() -> Verdict:
        simulate(model, engine=engine, method=method_of(engine), throw=False)
        return Verdict(NOTHING_PUBLISHED, "it runs")

    return Verdict(NOTHING_PUBLISHED, _judged(action, model.path).detail)


def _compare(model: Model, published: Published, engine: Engine, draws: int) -> Verdict:
    places, _ = columns_of(model, published)
    if not places:
        empty = not any(item.kind != "control" for item in model.variables.values())
        return Verdict(NOTHING_TO_COMPARE, "PySD's translator finds no variable in the file" if empty else "")
    given = {**data_beside(model, model.path.parent), **_repeated(model, draws)}
    run = simulate(model, given, outcomes=variables_of(places), engine=engine, method=method_of(engine), throw=False)
    wrong = differences(published, places, {name: values[:, -1:] for name, values in run.data.items()}, run.years)
    if not wrong:
        return Verdict(PASS)
    more = f" ({len(wrong)} of {len(places)} columns differ)" if len(wrong) > 1 else ""
    return Verdict(CLOSE if all(item.loose for item in wrong) else MISMATCH, f"{wrong[0]}{more}")


def _repeated(model: Model, draws: int) -> dict[str, Any]:
    """The value the file gives one of its constants, for many draws: what runs then is code over draws."""
    if draws == 1:
        return {}
    for name, item in model.variables.items():
        if item.kind == "constant":
            value = simulate(model, outcomes=[name], engine="numpy", throw=False)[name][..., 0]
            if np.isfinite(value).all():
                return {name: np.repeat(value[:, :1], draws, axis=1)}
    return {}


def data_beside(model: Model, folder: Path) -> dict[str, TimePath]:
    """Values of data variables without a file of their own, from a table beside the model."""
    source = next((folder / name for name in DATA_FILES if (folder / name).is_file()), None)
    if source is None or not any(item.kind == "data" for item in model.variables.values()):
        return {}
    modes = {
        key(item.name): item.equations[0].mode
        for item in read_source(model.path).syntax.variables
        if model.variables[model.find(item.name)].kind == "data"
    }
    table = read_published(source)
    places, _ = columns_of(model, table)
    found: dict[str, TimePath] = {}
    for name in variables_of(places):
        if key(name) in modes:
            shape = model.ir.shape(model.variables[name].dims)
            values = np.full((table.times.size, *shape), np.nan)
            for column, place in places.items():
                if place.variable == name:
                    values[(slice(None), *place.position)] = table.columns[column]
            found[name] = _path(table.times, values, modes[key(name)])
    return found


def _path(times: Any, values: Any, mode: str) -> TimePath:
    gap = 1e-6 * np.diff(times, append=times[-1] + 1)
    if mode == "raw":
        # There is no value between the moments of the data.
        nothing = np.full_like(values, np.nan)
        times, values = (
            np.stack([times, times + gap], 1).ravel(),
            np.stack([values, nothing], 1).reshape(-1, *values.shape[1:]),
        )
    if mode == "look_forward":
        # What holds at a moment held since just after the one before.
        times = np.concatenate([times[:1], (times + gap)[:-1]])
    return TimePath(times=times, values=values, interpolate="linear" if mode == "interpolate" else "step")


def _short(text: str, path: Path) -> str:
    """A message without the place of the model file, on one line."""
    text = " ".join(text.replace(f"{path.resolve()}: ", "").replace(f"{path.resolve().parent}/", "").split())
    return text[:300]


def totals(reports: Sequence[Report]) -> dict[str, dict[str, int]]:
    """How often each engine came to each verdict."""
    engines = list(dict.fromkeys(name for report in reports for name in report.verdicts))
    return {name: dict(Counter(report.verdicts[name].status for report in reports)) for name in engines}


# From best to worst, of what says that numbers are right.
_RIGHT = (PASS, CLOSE)


def behind_pysd(reports: Sequence[Report]) -> list[str]:
    """Models that PySD runs correctly and another engine does not, or not as closely."""
    return [report.model for report in reports if _is_behind(report)]


def _is_behind(report: Report) -> bool:
    theirs = report.verdicts.get("pysd", Verdict(FAILED)).status
    if theirs not in _RIGHT:
        return False
    enough = _RIGHT[: _RIGHT.index(theirs) + 1]
    return any(verdict.status not in enough for verdict in report.verdicts.values())


def commit_of(folder: Path) -> str:
    """Commit a checkout stands at, empty where it is none."""
    if not (folder / ".git").exists():
        return ""
    done = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def table(reports: Sequence[Report], commit: str) -> str:
    """All verdicts as text, with totals."""
    engines = list(totals(reports))
    width = max((len(report.model) for report in reports), default=5)
    lines = [_row("model", engines, width)]
    for report in reports:
        lines.append(_row(report.model, [report.verdicts[name].status for name in engines], width))
        details = {name: verdict.detail for name, verdict in report.verdicts.items() if verdict.detail}
        lines += [f"    {name}: {detail}" for name, detail in details.items()]
        if report.unknown:
            first = ", ".join(report.unknown[:5])
            lines.append(f"    columns about nothing in the model: {first} ({len(report.unknown)} in all)")
    lines += ["", f"{len(reports)} models" + (f", commit {commit}" if commit else "")]
    for name, counts in totals(reports).items():
        lines.append(f"  {name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    behind = ", ".join(behind_pysd(reports)) or "none"
    return "\n".join([*lines, f"  models that PySD runs correctly and another engine does not: {behind}"])


def _row(name: str, cells: Sequence[str], width: int) -> str:
    return (f"{name:{width}}  " + "  ".join(f"{cell:20}" for cell in cells)).rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; the exit code says whether every model that PySD runs correctly passes everywhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a checkout of SDXorg/test-models, or any folder of models")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; may be repeated")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--only", default="", help="only models whose path holds this regular expression")
    parser.add_argument("--draws", type=int, default=1, help="run this many equal draws and compare the last")
    chosen = parser.parse_args(arguments)
    engines = tuple(chosen.engine or ENGINES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = model_files(chosen.folder, chosen.only)
        reports = [examine(path, chosen.folder, engines, chosen.draws) for path in paths]
    commit = commit_of(chosen.folder)
    sys.stdout.write(table(reports, commit) + "\n")
    if chosen.json:
        content = {"commit": commit, "totals": totals(reports), "models": [asdict(report) for report in reports]}
        chosen.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if behind_pysd(reports) else 0


if __name__ == "__main__":
    sys.exit(main())
