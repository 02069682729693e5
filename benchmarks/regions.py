"""How long panels of many regions take, from the table to a projection: python -m benchmarks.regions --help.

A step is one run with its derivatives, of which a search takes fifty to two hundred. A calibration is one search
without profiles, or, with ``--whole``, what `gapsim calibrate` does by itself: four searches and all profiles.
"""

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

FIRST, YEARS = 2000, 25
SEED = 0
CLASSES = ("low", "middle", "high")
STEPS = ("check", "step", "forecast", "backtest", "calibrate", "run")


def main(given: Sequence[str] | None = None) -> None:
    """Print processor time and memory of each command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regions", description=__doc__)
    parser.add_argument("--regions", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--years", type=int, default=YEARS)
    parser.add_argument("--draws", type=int, default=50, help="of all but the forecast, which makes its usual 1,000")
    parser.add_argument("--minutes", type=float, default=30.0, help="longest time for one command")
    parser.add_argument("--whole", action="store_true", help="calibrate with four searches and profiles")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS, metavar="STEP", help=", ".join(STEPS))
    asked = parser.parse_args(given)
    draws, sizes = ["--draws", str(asked.draws)], [] if asked.whole else ["--starts", "1", "--without", "profiles"]
    lines = {
        "check": ["gapsim", "data", "check", "panel.csv", "--quiet"],
        "forecast": ["gapsim", "forecast", "panel.csv", "--out", "forecast", "--quiet"],
        "backtest": ["gapsim", "backtest", "panel.csv", *draws, "--out", "scores.csv", "--quiet"],
        "calibrate": ["gapsim", "calibrate", "panel.csv", *sizes, "--out", "fit", "--quiet"],
        "run": ["gapsim", "run", "zoned_need", "--fit", "fit", *draws, "--out", "results", "--quiet"],
    }
    for count in asked.regions:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_panel(folder / "panel.csv", count, asked.years)
            for step in asked.only:
                if step == "step":
                    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                        told = pool.submit(stepped, folder / "panel.csv").result()
                else:
                    told = timed(lines[step], folder, 60 * asked.minutes)
                print(f"{count:>6,} regions, {step:<10}{told}", flush=True)


def write_panel(path: Path, count: int, years: int = YEARS) -> None:
    """Output and people of regions whose relative output closes two per cent of its gap a year."""
    chance = np.random.default_rng(SEED)
    gap = chance.normal(0, 0.5, count)
    group = np.digitize(gap, (-0.2, 0.3))
    people = np.exp(chance.normal(15, 1, count))
    rows = ["region,name,group,year,output [yuan],population [persons],access [%]"]
    for year in range(FIRST, FIRST + years):
        output = 20_000 * 1.06 ** (year - FIRST) * np.exp(gap)
        access = 100 / (1 + np.exp(-(year - 2012 + gap) / 4))
        for region in range(count):
            name = f"R{region:04d},Region {region},{CLASSES[group[region]]},{year}"
            rows.append(f"{name},{output[region] * people[region]:.0f},{people[region]:.0f},{access[region]:.2f}")
        gap = 0.98 * gap + chance.normal(0, 0.015, count)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def stepped(panel: Path) -> str:
    """Say what one run with its derivatives takes, and one without."""
    from calibration import Problem
    from pysd_runner import load_model
    from pysd_runner.data import load_data

    found = load_data(panel, panel=True)
    problem = Problem(load_model("regional_digital", regions=len(found.regions)), found)
    told = []
    for run in (problem.linearised, problem.residuals):
        run(problem.space.centre)
        begun = time.process_time()
        for _ in range(3):
            run(problem.space.centre)
        told.append((time.process_time() - begun) / 3)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{told[0]:>8.3f} s of processor time, {told[1]:.3f} s without derivatives, {memory:.0f} MB"


def timed(line: Sequence[str], folder: Path, most: float) -> str:
    """Run a command and say what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    try:
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=most, check=False)
    except subprocess.TimeoutExpired:
        return f"stopped after {most / 60:g} minutes"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = f"{after.ru_maxrss / 1024:.0f} MB at most so far"
    said = f"{took:>8.1f} s of processor time, {time.monotonic() - begun:.1f} s, {memory}"
    if done.returncode not in (0, 3):
        return f"{said}; {(done.stderr.strip() or done.stdout.strip()).splitlines()[0][:200]}"
    return said


if __name__ == "__main__":
    main()
