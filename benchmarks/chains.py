"""Chains of many equations from a cold start: whether the time of compiling grows like the model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import targets
from benchmarks.extras import Context, Finding, verdict

LENGTHS = (1_000, 3_000, 10_000)
ENGINES = ("auto", "llvm", "numpy")
STEPS = 100

COLD_RUN = """
import json, sys, time
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
model = load_model(sys.argv[1])
loaded = time.process_time()
engine = simulate(model, engine=sys.argv[2]).provenance["engine"]
done = time.process_time()
simulate(model, engine=sys.argv[2])
again = time.process_time()
from pysd_runner.engine.task import Work
work = Work.of(model.ir, {steps} + 1, 1)
predicted = work.by_numpy if engine == "numpy" else work.compiling
print(json.dumps({{"whole": done, "load": loaded, "first run": done - loaded, "second run": again - done,
    "predicted": predicted, "engine": engine}}))
"""


def chains(context: Context) -> Finding:
    """Processor seconds from starting Python to the end of the first run of a chain, all of it saved."""
    finding = Finding(
        f"chains: cold start to the end of a first run of {STEPS} steps, processor seconds, best of rounds"
    )
    for length in LENGTHS:
        path = context.folder / f"chain{length}.mdl"
        path.write_text(chain(length), encoding="utf-8")
        for engine in ENGINES:
            runs = [_cold(path, engine) for _ in range(min(context.rounds, 3))]
            best = min(runs, key=lambda item: item["whole"])
            goal = targets.CHAIN_SECONDS.get(length) if engine == "auto" else None
            told = "" if goal is None else verdict(best["whole"], goal, least=False)
            parts = ", ".join(f"{name} {best[name]:.2f}" for name in ("load", "first run", "predicted", "second run"))
            name = engine if engine == best["engine"] else f"{engine} ({best['engine']})"
            finding.lines.append(f"{length:,} equations, {name}: {best['whole']:.2f} s: {parts} {told}".rstrip())
            finding.record[f"{length} {engine}"] = runs
    return finding


def chain(length: int) -> str:
    """A Vensim file in which every variable reads the one before."""
    lines = ["{UTF-8}", "a = 1 ~~|", "x0 = INTEG(a - 0.01*x0, 1) ~~|"]
    lines += [f"x{number} = x{number - 1}*1.0001 + a ~~|" for number in range(1, length)]
    lines += ["INITIAL TIME = 0 ~~|", f"FINAL TIME = {STEPS} ~~|", "TIME STEP = 1 ~~|", "SAVEPER = 1 ~~|"]
    return "\n".join(lines) + "\n"


def _cold(path: Path, engine: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", COLD_RUN.format(steps=STEPS), str(path), engine],
        env=os.environ | {"GAPSIM_CACHE": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
