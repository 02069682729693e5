"""What it costs to do parts of the work elsewhere: python -m benchmarks.executors --help."""

import argparse
import resource
import time
from collections.abc import Callable, Sequence

from calibration import Problem, backtest, fit
from calibration.uncertainty import profile
from pysd_runner.data import load_data
from pysd_runner.model import load_model

MODEL, PANEL = "regional_digital", "china"
KEYS = ("q_a", "lam_S", "p_u", "g0")
PLACES = ("", "threads", "processes")


def main(given: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executors", description=__doc__)
    parser.add_argument("--regions", type=int, default=31, help="how many of the provinces")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(given)
    panel = load_data(PANEL, panel=True)
    panel = panel.subset(entities=panel.codes[: asked.regions])
    problem = Problem(load_model(MODEL, regions=len(panel.regions)), panel)
    found = fit(problem, starts=1)
    works: dict[str, Callable[[str | None], object]] = {
        "4 starts of a fit": lambda where: fit(problem, starts=4, executor=where).cost,
        f"{len(KEYS)} profiles": lambda where: [item.high for item in profile(problem, found, KEYS, executor=where)],
        "a back-test of 6 origins": lambda where: backtest(
            panel,
            forecasters=["gapsim"],
            first_origin=2018,
            last_origin=2023,
            draws=100,
            executor=where,
            workers=asked.workers,
        ).skill(),
    }
    for name, work in works.items():
        first = None
        for place in PLACES:
            began, spent = time.monotonic(), _spent()
            answer = work(place or None)
            took = time.monotonic() - began
            used = _spent() - spent
            first = first or (answer, used, took)
            same = "the same" if repr(answer) == repr(first[0]) else "ANOTHER RESULT"
            print(
                f"{name}, {place or 'this thread'}: {used:.1f} s of processor time ({used / first[1]:.2f} times), "
                f"{took / first[2]:.2f} times as long, {same}",
                flush=True,
            )


def _spent() -> float:
    """Processor time of this process and of those that ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    main()
