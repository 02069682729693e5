"""Hashes of numbers, records and messages that a change of the code's shape must not move.

``python -m tests.frozen FILE`` writes them; ``--check FILE`` names what differs from a file of the same machine;
``--against REVISION`` makes that file from a revision first. Hashes depend on the processor, so none are kept here.
Only commands and files are used, whose names last longer than those of classes.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tests.frozen.steps import FULL, QUICK, Step

ROOT = Path(__file__).parents[2]
# What differs from run to run, or says how long something took and where it lies.
VOLATILE = frozenset(
    {"seal", "seconds", "created", "made", "versions", "version", "command", "platform", "software", "host"}
)
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "120"}
CLOCK = re.compile(r"\d+(\.\d+)? (?:s|ms|seconds?|minutes?|min)\b|\d\d:\d\d(:\d\d)?|20\d\d-\d\d-\d\d[T ]\S+")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.frozen", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="where hashes are written")
    parser.add_argument("--check", type=Path, help="file of hashes to compare with")
    parser.add_argument("--against", help="revision to compare with")
    parser.add_argument("--quick", action="store_true", help="the steps of a minute only")
    parser.add_argument("--show", help="print the text behind a hash instead of hashing")
    asked = parser.parse_args()
    steps = QUICK if asked.quick else QUICK + FULL
    with tempfile.TemporaryDirectory() as scratch:
        before = of_revision(asked.against, Path(scratch), quick=asked.quick) if asked.against else asked.check
        found = dict(hashes(steps, Path(scratch) / "work", shown=asked.show))
        if asked.file is not None:
            asked.file.write_text(json.dumps(found, indent=1, sort_keys=True), encoding="utf-8")
        return 0 if before is None else told(json.loads(before.read_text(encoding="utf-8")), found)


def of_revision(revision: str, scratch: Path, *, quick: bool) -> Path:
    """Hashes of the code of a revision, by the steps of today."""
    tree, file = scratch / "tree", scratch / "before.json"
    subprocess.run(["git", "worktree", "add", "--detach", tree, revision], cwd=ROOT, check=True, capture_output=True)
    try:
        environment = {**os.environ, "GAPSIM_TREE": str(tree)}
        command = [sys.executable, "-m", "tests.frozen", str(file), *(["--quick"] if quick else [])]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)
    return file


def told(before: Mapping[str, str], now: Mapping[str, str]) -> int:
    """Print what differs; 1 if anything does."""
    moved = sorted(key for key in before.keys() & now.keys() if before[key] != now[key])
    for kind, keys in (("moved", moved), ("gone", sorted(before.keys() - now)), ("new", sorted(now.keys() - before))):
        for key in keys:
            print(f"{kind}: {key}")
    print(f"{len(before.keys() & now.keys()) - len(moved)} of {len(before)} hashes are equal")
    return int(bool(moved or before.keys() - now))


def hashes(steps: tuple[Step, ...], work: Path, *, shown: str | None) -> Iterator[tuple[str, str]]:
    """Each hash by the step and the part of a file it is of."""
    work.mkdir()
    for step in steps:
        for name, text in step.files.items():
            (work / name).write_text(text, encoding="utf-8")
        for key, content in ran(step, work):
            if shown is not None and key.startswith(shown):
                print(f"{key}:\n{content!r}" if isinstance(content, bytes) else f"{key}:\n{content}")
            yield key, hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()[:16]


def ran(step: Step, work: Path) -> Iterator[tuple[str, str | bytes]]:
    """What a command printed, and the parts of every file it wrote."""
    known = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    tree = os.environ.get("GAPSIM_TREE", str(ROOT))
    environment = {
        **os.environ,
        "PYTHONPATH": tree,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "COLUMNS": "120",
    }
    code = step.program or "import sys; from pysd_runner.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *step.arguments],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    yield f"{step.name}.exit", str(done.returncode)
    if step.program is not None:
        for line in done.stdout.splitlines():
            key, _, value = line.partition("\t")
            yield f"{step.name}.{key}", value
        if done.returncode:
            print(done.stderr, file=sys.stderr)
        return
    if step.said:
        yield f"{step.name}.out", CLOCK.sub("T", done.stdout)
        yield f"{step.name}.err", CLOCK.sub("T", done.stderr)
    for path in sorted(work.rglob("*")):
        reader = READERS.get(path.suffix)
        if path.is_file() and reader is not None and known.get(path) != path.stat().st_mtime_ns:
            for part, content in reader(path):
                yield f"{step.name}:{path.relative_to(work)}:{part}", content


def of_json(path: Path) -> Iterator[tuple[str, str]]:
    record = json.loads(path.read_text(encoding="utf-8"))
    for key, value in record.items() if isinstance(record, dict) else [("", record)]:
        if key not in VOLATILE:
            yield key, json.dumps(lasting(value), sort_keys=True, ensure_ascii=False)


def lasting(value: Any) -> Any:
    """A record without what differs from run to run."""
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    return CLOCK.sub("T", value) if isinstance(value, str) else value


def of_netcdf(path: Path) -> Iterator[tuple[str, bytes]]:
    with xr.open_dataset(path) as data:
        for name in map(str, data.variables):
            values = data[name].to_numpy()
            yield name, values.tobytes() if values.dtype.kind in "fiub" else repr(values.tolist()).encode()


def of_table(path: Path) -> Iterator[tuple[str, str]]:
    yield "", CLOCK.sub("T", path.read_text(encoding="utf-8"))


def of_page(path: Path) -> Iterator[tuple[str, bytes]]:
    """The numbers of a page, in their order: those of its records, without its texts and its script."""
    found: list[float] = []
    for record in re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", path.read_text("utf-8"), re.DOTALL):
        gather(json.loads(record), found)
    yield "numbers", np.asarray(found).tobytes()


def gather(value: Any, found: list[float]) -> None:
    """Every number of a record, by the order of its keys."""
    if isinstance(value, dict):
        for key in sorted(value):
            gather(value[key], found)
    elif isinstance(value, list):
        for item in value:
            gather(item, found)
    elif isinstance(value, int | float):
        found.append(float(value))


def of_workbook(path: Path) -> Iterator[tuple[str, str]]:
    for name, sheet in pd.read_excel(path, sheet_name=None, header=None).items():
        yield str(name), CLOCK.sub("T", sheet.to_csv())


READERS: Mapping[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
    ".json": of_json,
    ".nc": of_netcdf,
    ".csv": of_table,
    ".html": of_page,
    ".xlsx": of_workbook,
}

if __name__ == "__main__":
    sys.exit(main())
