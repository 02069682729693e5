"""How long it takes from starting Python to the first run, with nothing cached and with everything cached."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks import targets
from benchmarks.extras import Context, Finding, verdict
from benchmarks.models import write_shipped

FIRST_RUN = """
import json, sys, time
started = time.process_time()
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
imported = time.process_time()
model = load_model(sys.argv[1])
loaded = time.process_time()
run = simulate(model, outcomes=sys.argv[2:], engine="llvm")
done = time.process_time()
simulate(model, outcomes=sys.argv[2:], engine="llvm")
again = time.process_time()
print(json.dumps({"import": imported - started, "load": loaded - imported, "first run": done - loaded,
    "second run": again - done, "pysd": "pysd" in sys.modules}))
"""
MODELS = ("digi31", "regional_digital")


def starting(context: Context) -> Finding:
    """Cold and warm starts in fresh processes, each with a cache folder of its own at first."""
    finding = Finding("starts: from starting Python to the end of the first run, processor seconds (by the clock)")
    paths = {
        "digi31": (context.yardsticks / "digi31.mdl", "Output"),
        "regional_digital": (write_shipped(context.folder / "start31.mdl", 31), "Output"),
    }
    for name in MODELS:
        path, outcome = paths[name]
        cold, warm = _starts(path, outcome, context)
        compiling = median(item["first run"] - item["second run"] for item in cold)
        goal = verdict(min(item["cpu"] for item in warm), targets.WARM_START_SECONDS, least=False)
        best = {kind: min(items, key=lambda item: item["cpu"]) for kind, items in (("cold", cold), ("warm", warm))}
        finding.lines.append(f"{name}, cold: {_told(best['cold'])}; compiling {compiling:.2f} s")
        finding.lines.append(f"{name}, warm: {_told(best['warm'])} {goal}")
        if name == "regional_digital":
            finding.lines.append(f"  compiling it {verdict(compiling, targets.COMPILE_SECONDS, least=False)}")
        finding.record[name] = {"cold": cold, "warm": warm}
    return finding


def _starts(path: Path, outcome: str, context: Context) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    cold, warm = [], []
    for number in range(min(context.rounds, 5)):
        cache = context.folder / f"cache_{path.stem}_{number}"
        cold.append(_start(path, outcome, cache))
        warm.append(_start(path, outcome, cache))
        shutil.rmtree(cache, ignore_errors=True)
    return cold, warm


def _start(path: Path, outcome: str, cache: Path) -> dict[str, float]:
    environment = os.environ | {"GAPSIM_CACHE": str(cache)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", FIRST_RUN, str(path), outcome],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"cpu": cpu, "wall": wall, **parts}


def _told(item: dict[str, float]) -> str:
    parts = ", ".join(f"{name} {item[name]:.2f}" for name in ("import", "load", "first run"))
    return f"{item['cpu']:.2f} s ({item['wall']:.2f}): {parts}"
