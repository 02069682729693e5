"""How the cost of an ensemble grows with draws, regions and steps."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.engines.ours import LlvmModel, Ours
from benchmarks.extras import Context, Finding
from benchmarks.measure import Task, interleaved
from benchmarks.models import (
    DIGI_OUTCOMES,
    DIGI_PARAMETERS,
    SHIPPED_OUTCOMES,
    SHIPPED_PARAMETERS,
    find_subject,
    subject,
    write_shipped,
)
from pysd_runner.engine.clock import Clock

DRAWS = (256, 512, 1024, 2048, 4096, 8192)
REGIONS = (4, 8, 16, 31, 62, 93, 124)
STEPS_PER_YEAR = (4, 8, 16, 32, 64)

# Draws of an ensemble whose regions or steps vary.
FEW = 512


@dataclass(frozen=True, slots=True)
class Line:
    """A fit of seconds against some size, ``seconds = intercept + slope * size``."""

    intercept: float
    slope: float
    r_squared: float
    worst: float


def fitted_line(sizes: Sequence[float], seconds: Sequence[float]) -> Line:
    """Least squares with weights that make relative deviations count.

    Parameters
    ----------
    sizes, seconds
        Of equal length.

    Returns
    -------
    Line
        With the coefficient of determination, and the largest deviation relative to the measured value.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(seconds, dtype=float)
    slope, intercept = np.polyfit(x, y, 1, w=1 / y)
    rest = y - intercept - slope * x
    spread = ((y - y.mean()) ** 2).sum()
    return Line(float(intercept), float(slope), float(1 - (rest**2).sum() / spread), float(np.abs(rest / y).max()))


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Power of the size that the cost grows with, from the two largest sizes."""
    (a, b), (c, d) = sizes[-2:], seconds[-2:]
    return float(np.log(d / c) / np.log(b / a))


def linearity(context: Context) -> Finding:
    """Lines through the cost of ensembles of other sizes."""
    finding = Finding("linearity: processor seconds = intercept + slope x size, weighted so that relative errors count")
    cases = {
        "draws (digi31)": (DRAWS, _over_draws(context)),
        "steps (digi31, steps per year)": (STEPS_PER_YEAR, _over_steps(context)),
        "regions (digi31 with its regions repeated)": (REGIONS, _over_regions(context, shipped=False)),
        "regions (shipped model, which sums over n x n partners)": (REGIONS, _over_regions(context, shipped=True)),
    }
    for name, (sizes, tasks) in cases.items():
        timings = interleaved(tasks, context.rounds)
        seconds = [timings[str(size)].best * timings[str(size)].runs for size in sizes]
        line = fitted_line(sizes, seconds)
        finding.lines.append(
            f"{name}, {sizes[0]:,} to {sizes[-1]:,}: R2 {line.r_squared:.5f}, intercept "
            f"{line.intercept / seconds[-1]:.1%} of the largest, worst deviation {line.worst:.1%}, local exponent at "
            f"the end {exponent(sizes, seconds):.2f}"
        )
        finding.record[name] = {"sizes": list(sizes), "seconds": seconds, "slope": line.slope, "r2": line.r_squared}
    return finding


def _over_draws(context: Context) -> Mapping[str, Task]:
    digi = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    tasks = {}
    for count in DRAWS:
        model = Ours("llvm").prepare(digi, context.folder)
        tasks[str(count)] = Task(partial(model.ensemble, digi.draws(count)), count)
    return tasks


def _over_steps(context: Context) -> Mapping[str, Task]:
    digi = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    tasks = {}
    for number in STEPS_PER_YEAR:
        model = Ours("llvm").prepare(digi, context.folder)
        if isinstance(model, LlvmModel):
            old = model.loaded.clock
            clock = Clock(old.start, old.stop, 1 / number, old.save_every)
            model = LlvmModel(replace(model.loaded, clock=clock), model.many, model.alone, 1)
        tasks[str(number)] = Task(partial(model.ensemble, digi.draws(FEW)), FEW)
    return tasks


def _over_regions(context: Context, *, shipped: bool) -> Mapping[str, Task]:
    tasks = {}
    for count in REGIONS:
        path = context.folder / f"regions_{shipped}_{count}.mdl"
        if shipped:
            item = subject("shipped", write_shipped(path, count), SHIPPED_PARAMETERS, SHIPPED_OUTCOMES)
        else:
            path = write_digi(context.yardsticks / "digi31.mdl", path, count)
            item = subject("digi", path, DIGI_PARAMETERS, DIGI_OUTCOMES)
        model = Ours("llvm").prepare(item, context.folder)
        tasks[str(count)] = Task(partial(model.ensemble, item.draws(FEW)), FEW)
    return tasks


def write_digi(source: Path, target: Path, regions: int) -> Path:
    """Write digi31 with another number of regions, its own repeated or cut off.

    Parameters
    ----------
    source
        digi31.mdl.
    target
        File to write.
    regions
        Number of regions.

    Returns
    -------
    Path
        The file.
    """
    text = source.read_text(encoding="utf-8")
    names = ",".join(f"R{number:03d}" for number in range(1, regions + 1))
    text = re.sub(r"^(Region:\n\t)[^\n]*", rf"\g<1>{names}", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^(number of regions=\n\t)31$", rf"\g<1>{regions}", text, count=1, flags=re.MULTILINE)

    def repeated(items: list[str]) -> list[str]:
        return [items[place % len(items)] for place in range(regions)]

    def listed(found: re.Match[str]) -> str:
        return found[1] + ",".join(repeated(found[2].split(",")))

    def rows(found: re.Match[str]) -> str:
        kept = repeated([line.strip().rstrip(";") for line in found[2].strip().splitlines()])
        return found[1] + "".join(f"\t{row};\n" for row in kept)

    text = re.sub(r"^(\w[\w ]*\[Region\]=\n\t)([\d.]+(?:,[\d.]+){30})$", listed, text, flags=re.MULTILINE)
    text = re.sub(r"^(membership\[Region,RType\]=\n\t\n)((?:\t\d,\d,\d;\n)+)", rows, text, count=1, flags=re.MULTILINE)
    target.write_text(text, encoding="utf-8")
    return target
