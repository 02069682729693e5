"""Two threads against one on a large ensemble."""

from functools import partial

from benchmarks import targets
from benchmarks.engines.ours import LlvmModel, Ours
from benchmarks.extras import Context, Finding, verdict
from benchmarks.measure import Task, interleaved
from benchmarks.models import find_subject

# An ensemble is large from here on.
LARGE = 16_384

KINDS = {"ensemble": "arrays made once", "fresh": "arrays made anew, so that the system hands out memory meanwhile"}


def threading_gain(context: Context) -> Finding:
    """Time by the clock that an ensemble of digi31 takes on one thread over that on two."""
    subject = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    count = max(context.draws, LARGE)
    rows = subject.draws(count)
    one = Ours("llvm").prepare(subject, context.folder)
    two = Ours("llvm", threads=2).prepare(subject, context.folder)
    tasks = {
        f"{kind} {threads}": Task(partial(getattr(model, kind), rows), count)
        for kind in KINDS
        for threads, model in ((1, one), (2, two))
        if isinstance(model, LlvmModel)
    }
    timings = interleaved(tasks, context.rounds)
    finding = Finding(f"threads: digi31, {count:,} draws, two threads against one, by the clock")
    for kind, words in KINDS.items():
        gain = min(timings[f"{kind} 1"].wall) / min(timings[f"{kind} 2"].wall)
        goal = verdict(gain, targets.THREADS, least=True) if kind == "ensemble" else ""
        finding.lines.append(f"{words}: {gain:.2f}x {goal}".rstrip())
        finding.record[kind] = gain
    finding.record["timings"] = {name: item.as_dict() for name, item in timings.items()}
    return finding
