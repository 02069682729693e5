"""How long the shipped model takes to calibrate on the shipped panel: the command a user types, from ten starts."""

import json
import os
import subprocess
import sys
import time

from benchmarks import targets
from benchmarks.extras import Context, Finding, verdict

PANEL, STARTS, CORES = "china", 10, 2


def calibrating(context: Context) -> Finding:
    """``gapsim calibrate china --starts 10`` by the clock, with nothing cached and again, on two cores."""
    command = f"gapsim calibrate {PANEL} --starts {STARTS}"
    finding = Finding(f"calibration: {command}, {CORES} cores at most, seconds by the clock")
    environment = {**os.environ, "GAPSIM_CACHE": str(context.folder / "calibrating")}
    for name in ("nothing cached", "again"):
        found = _calibrated(context, name.replace(" ", "_"), environment)
        goal = verdict(found["seconds"], targets.CALIBRATION_SECONDS, least=False)
        finding.lines.append(
            f"{name}: {found['seconds']:.1f} s {goal}, of which {found['fit']:.1f} s the fit: {found['parameters']} "
            f"parameters, {found['regions']} regions, {found['agreeing']} of {STARTS} searches at the best optimum"
        )
        finding.record[name] = found
    return finding


def _calibrated(context: Context, name: str, environment: dict[str, str]) -> dict[str, float]:
    folder = context.folder / name
    program = "import sys; from pysd_runner.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "calibrate", PANEL, "--starts", str(STARTS), "--without", "profiles"]
    command += ["--out", str(folder), "--json", "--quiet"]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, preexec_fn=_pin)
    seconds = time.perf_counter() - began
    data = json.loads(done.stdout)["data"]
    fitted = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
    best = [item for item in data["optima"] if not item["furthest"]]
    return {
        "seconds": seconds,
        "fit": data["seconds"],
        "parameters": len(best[0]["point"]) if best else 0,
        "regions": len(fitted["regions"]),
        "agreeing": sum(len(item["starts"]) for item in best),
    }


def _pin() -> None:
    """Keep to two cores where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))
