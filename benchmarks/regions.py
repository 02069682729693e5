"""How long panels of many regions take, from the table to a forecast: python -m benchmarks.regions --help."""

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

YEARS = range(2000, 2025)
SEED = 0
CLASSES = ("low", "middle", "high")


def main(given: Sequence[str] | None = None) -> None:
    """Print processor time and memory of each command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regions", description=__doc__)
    parser.add_argument("--regions", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=30.0, help="longest time for one command")
    asked = parser.parse_args(given)
    for count in asked.regions:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_panel(folder / "panel.csv", count)
            for line in (
                ["data", "check", "panel.csv"],
                ["backtest", "panel.csv", "--draws", str(asked.draws), "--out", "scores.csv"],
                ["calibrate", "panel.csv", "--out", "fit"],
                ["run", "zoned_need", "--fit", "fit", "--draws", str(asked.draws), "--out", "results"],
            ):
                print(f"{count:>6,} regions, {line[0]:<10}{timed(line, folder, 60 * asked.minutes)}", flush=True)


def write_panel(path: Path, count: int) -> None:
    """Output and people of regions whose relative output closes two per cent of its gap a year."""
    chance = np.random.default_rng(SEED)
    gap = chance.normal(0, 0.5, count)
    group = np.digitize(gap, (-0.2, 0.3))
    people = np.exp(chance.normal(15, 1, count))
    rows = ["region,name,group,year,output [yuan],population [persons],access [%]"]
    for year in YEARS:
        output = 20_000 * 1.06 ** (year - YEARS[0]) * np.exp(gap)
        access = 100 / (1 + np.exp(-(year - 2012 + gap) / 4))
        for region in range(count):
            name = f"R{region:04d},Region {region},{CLASSES[group[region]]},{year}"
            rows.append(f"{name},{output[region] * people[region]:.0f},{people[region]:.0f},{access[region]:.2f}")
        gap = 0.98 * gap + chance.normal(0, 0.015, count)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def timed(line: Sequence[str], folder: Path, most: float) -> str:
    """Run a command of gapsim and say what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    try:
        done = subprocess.run(
            ["gapsim", *line, "--quiet"], cwd=folder, capture_output=True, text=True, timeout=most, check=False
        )
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
