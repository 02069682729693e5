"""One model on every engine: that they agree, then how long each takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.agreement import Agreement, agreement
from benchmarks.engines import Array, Engine, Prepared, Unavailable
from benchmarks.measure import Task, Timing, interleaved, timed
from benchmarks.models import Subject

KINDS = ("ensemble", "fresh", "single", "once", "labelled")

# Draws every quick engine is compared on; a slow one is compared on the first.
COMPARED = 5
SLOW = 0.5

# An engine without ensembles runs about this many seconds for one sample.
SECONDS = 0.25


@dataclass(slots=True)
class Comparison:
    """Everything measured for one model.

    Parameters
    ----------
    subject
        The model.
    agreements
        By engine.
    ensemble, single
        Seconds per run by engine, saved series written to arrays that are made once.
    fresh, once, labelled
        The ensemble and the single run with arrays made anew, and the single run through `simulate`.
    unavailable
        Why an engine could not run it, by engine.
    """

    subject: Subject
    agreements: dict[str, Agreement] = field(default_factory=dict)
    ensemble: dict[str, Timing] = field(default_factory=dict)
    single: dict[str, Timing] = field(default_factory=dict)
    fresh: dict[str, Timing] = field(default_factory=dict)
    once: dict[str, Timing] = field(default_factory=dict)
    labelled: dict[str, Timing] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)

    def ratio(self, kind: str, engine: str, base: str, *, best: bool = True) -> float | None:
        """How many times longer an engine takes than another one, by the best samples or the median of pairs of them.

        None where it must not or cannot be told.
        """
        timings: Mapping[str, Timing] = getattr(self, kind)
        if engine not in timings or base not in timings or not self.agreements[engine].same:
            return None
        if best:
            return timings[engine].best / timings[base].best
        return median(theirs / ours for theirs, ours in zip(timings[engine].cpu, timings[base].cpu, strict=False))

    def as_dict(self) -> dict[str, Any]:
        """Every raw number."""
        return {
            "series": self.subject.series,
            "years": self.subject.years,
            "parameters": list(self.subject.parameters),
            "unavailable": self.unavailable,
            "agreement": {
                name: {"difference": item.difference, "same": item.same, "note": item.note}
                for name, item in self.agreements.items()
            },
            **{kind: {name: item.as_dict() for name, item in getattr(self, kind).items()} for kind in KINDS},
        }


def compare(subject: Subject, engines: Mapping[str, Engine], *, draws: int, rounds: int, folder: Path) -> Comparison:
    """Prepare a model on every engine, check that the numbers agree, and time them in turn.

    Parameters
    ----------
    subject
        The model.
    engines
        By name; the first that can run the model is what the others are compared with.
    draws
        Size of the ensemble of engines that run many draws at once.
    rounds
        Samples of each.
    folder
        A temporary folder.

    Returns
    -------
    Comparison
        With timings of engines whose numbers agree only.
    """
    result = Comparison(subject)
    prepared = _prepared(subject, engines, folder, result)
    seconds = _checked(subject, engines, prepared, folder, result)
    rows = subject.draws(draws)
    tasks: dict[str, Task] = {}
    for name, item in prepared.items():
        if not result.agreements[name].same:
            continue
        tasks[f"single {name}"] = Task(partial(item.single, rows[0].copy()))
        if seconds[name] > SLOW:
            continue
        count = draws if engines[name].batched else min(draws, max(1, int(SECONDS / seconds[name])))
        tasks[f"ensemble {name}"] = Task(partial(item.ensemble, rows[:count].copy()), count)
        if hasattr(item, "fresh"):
            tasks[f"fresh {name}"] = Task(partial(item.fresh, rows[:count].copy()), count)
        for extra in ("once", "labelled"):
            if hasattr(item, extra):
                tasks[f"{extra} {name}"] = Task(partial(getattr(item, extra), rows[0].copy()))
    for task, timing in interleaved(tasks, rounds).items():
        kind, name = task.split(" ", 1)
        getattr(result, kind)[name] = timing
    for name in result.single:
        result.ensemble.setdefault(name, result.single[name])
    return result


def _prepared(subject: Subject, engines: Mapping[str, Engine], folder: Path, result: Comparison) -> dict[str, Prepared]:
    prepared: dict[str, Prepared] = {}
    for name, engine in engines.items():
        try:
            prepared[name] = engine.prepare(subject, folder)
        except Unavailable as error:
            result.unavailable[name] = str(error)
    return prepared


def _checked(
    subject: Subject, engines: Mapping[str, Engine], prepared: dict[str, Prepared], folder: Path, result: Comparison
) -> dict[str, float]:
    """Fill in the agreements; returns about how many seconds a single run takes, by engine."""
    rows = subject.draws(COMPARED, seed=1)
    seconds: dict[str, float] = {}
    expected = None
    for name in prepared:
        seconds[name] = _seconds(prepared[name], rows[0])
        few = rows[:1] if seconds[name] > SLOW else rows
        if expected is None:
            expected = prepared[name].series(prepared[name].ensemble(few.copy()))
        found = agreement(prepared[name], few.copy(), expected[: len(few)])
        for load in range(2, engines[name].loads + 1):
            if found.same:
                break
            prepared[name] = engines[name].prepare(subject, folder)
            found = agreement(prepared[name], few.copy(), expected[: len(few)])
            if found.same:
                found = replace(found, note=f"its numbers differ from load to load; they were right in load {load}")
        result.agreements[name] = found
        if seconds[name] <= SLOW:
            seconds[name] = min(seconds[name], _seconds(prepared[name], rows[0]))
    return seconds


def _seconds(prepared: Prepared, row: Array) -> float:
    return timed(partial(prepared.single, row.copy()))[0]
