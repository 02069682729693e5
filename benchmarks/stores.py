"""What storing an ensemble costs, and whether kills lose anything: python -m benchmarks.stores MODEL --help."""

import argparse
import filecmp
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pysd_runner.ensemble import Draws, EnsembleJob, Statistics, ensemble_job, load_job
from pysd_runner.ensemble.run import Keep
from pysd_runner.ensemble.store import BlockStore
from pysd_runner.model import Model, load_model

SEED = 0
# Longest time before a kill, in seconds.
MOST_SECONDS = 4.0
WORK = "import sys\nfrom pysd_runner.ensemble import load_job\nload_job(sys.argv[1]).run(sys.argv[2], workers=2)\n"


def main(given: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores", description=__doc__)
    parser.add_argument("model", type=Path, help="a model file, for instance digi1.mdl")
    parser.add_argument("--bound", default="", metavar="NAME", help="parameter that is drawn (default: the first)")
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3, help="how often storing and not storing take turns")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--kill-draws", type=int, default=100_000)
    parser.add_argument("--plan", type=float, default=1e9, metavar="RUNS", help="how many runs are planned")
    parser.add_argument("--cores", type=int, default=64, help="on how many cores")
    asked = parser.parse_args(given)
    model = load_model(asked.model)
    name = asked.bound or next(
        name for name, item in model.variables.items() if item.kind == "constant" and not item.dims
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        costs(model, name, asked.draws, asked.pairs, Path(folder))
        kills(model, name, asked.kill_draws, asked.kills, Path(folder))
        for keep in ("full", Statistics()):
            plan(job_of(model, name, asked.kill_draws, Path(folder) / str(keep)[:4], keep), asked.plan, asked.cores)


def job_of(model: Model, name: str, draws: int, store: Path, keep: Keep = "full") -> EnsembleJob:
    """Runs of every stock for a parameter that varies by a tenth."""
    value = float(np.asarray(_value(model, name)).flat[0])
    ends = sorted((0.9 * value, 1.1 * value)) if value else (0.0, 1.0)
    outcomes = [key for key, item in model.variables.items() if item.kind == "stock"][:5]
    drawn = Draws(method="random", ranges={name: (ends[0], ends[1])}, draws=draws, seed=SEED)
    return ensemble_job(model, drawn, store=store, outcomes=outcomes, keep=keep, precision="float32")


def _value(model: Model, name: str) -> object:
    from pysd_runner.simulation.run import constant_values

    return constant_values(model, name)


def costs(model: Model, name: str, draws: int, pairs: int, folder: Path) -> None:
    """Processor time of runs that are stored, as a ratio to runs that are thrown away."""
    write, ratios = BlockStore.write, []
    job_of(model, name, 8192, folder / "warm").run(workers=1)
    for pair in range(pairs):
        kept = _seconds(lambda: job_of(model, name, draws, folder / f"kept{pair}").run(workers=1))  # noqa: B023
        BlockStore.write = lambda *_: None  # type: ignore[method-assign]
        try:
            thrown = _seconds(lambda: job_of(model, name, draws, folder / f"thrown{pair}").run(workers=1))  # noqa: B023
        finally:
            BlockStore.write = write  # type: ignore[method-assign]
        ratios.append(kept / thrown)
        print(
            f"{draws:,} runs stored: {kept:.1f} s of processor time, thrown away {thrown:.1f}: {ratios[-1]:.2f} times"
        )
    size = _size(folder / "kept0")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"median {float(np.median(ratios)):.2f} times; {size / 1e6:.0f} MB stored; at most {memory:.0f} MB of memory")


def plan(job: EnsembleJob, runs: float, cores: int) -> None:
    """What many runs would take, from the time and room of these, taken for each run."""
    recipe = job.store.recipe
    each = _seconds(lambda: job.run(workers=1)) / recipe.count
    merge = _seconds(job.statistics) / recipe.count
    room, blocks = _size(job.store.path) / recipe.count, runs / recipe.block
    kind = "runs" if recipe.statistics is None else "statistics"
    print(
        f"{kind}: {1 / each:,.0f} a second and core, {room:.0f} bytes a run, blocks of {recipe.block} draws "
        f"({each * recipe.block:.2f} s); {runs:.0e} runs: {each * runs / 3600 / cores:.2g} hours on {cores} cores, "
        f"{room * runs / 1e9:,.0f} GB in {blocks:,.0f} blocks; statistics of all in {merge * runs / 3600:.2g} hours"
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def kills(model: Model, name: str, draws: int, count: int, folder: Path) -> None:
    """Kill the main process or a worker at random moments; what was finished stays, and the store ends the same."""
    whole = job_of(model, name, draws, folder / "whole").run(workers=1)
    chance = np.random.default_rng(SEED)
    killed = round_ = 0
    while killed < count:
        job = job_of(model, name, draws, folder / f"killed{round_}")
        while not job.complete and killed < count:
            before = job.done
            is_worker = bool(chance.integers(2))
            if _kill(
                job.store.path, "processes" if is_worker else "threads", chance.uniform(0, MOST_SECONDS), is_worker
            ):
                killed += 1
            if job.done < before:
                raise SystemExit("a finished block was lost")
        load_job(job.store.path).run(workers=1)
        if not _same(whole.store.path, job.store.path):
            raise SystemExit("a store that was killed differs from one that was not")
        round_ += 1
    blocks = whole.store.recipe.blocks
    print(f"{killed} kills in {round_} stores of {blocks} blocks: no finished block was lost, stores identical")


def _kill(store: Path, executor: str, after: float, is_worker: bool) -> bool:
    """Kill a run, or one of its workers, after so many seconds; False if it was finished before."""
    line = [sys.executable, "-c", WORK, str(store), executor]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            children = _children(process.pid) if is_worker else []
            os.kill(children[-1] if children else process.pid, signal.SIGKILL)
            process.wait(60)
            return True
    return False


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(item) for item in found]


def _same(one: Path, other: Path) -> bool:
    files = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    others = {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    return files == others and all(filecmp.cmp(one / path, other / path, shallow=False) for path in files)


if __name__ == "__main__":
    main()
