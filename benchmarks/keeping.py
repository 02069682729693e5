"""What statistics of an ensemble cost in place of its runs: digi31 on one thread."""

from functools import partial

from benchmarks import targets
from benchmarks.extras import Context, Finding, verdict
from benchmarks.measure import Task, interleaved
from benchmarks.models import find_subject
from pysd_runner.ensemble import Statistics, run_ensemble
from pysd_runner.ensemble.run import Keep
from pysd_runner.model import load_model

KINDS: dict[str, tuple[Keep, float | None]] = {
    "every run": ("full", None),
    "moments": (Statistics(quantiles=()), targets.MOMENTS),
    "moments and quantiles": (Statistics(), targets.QUANTILES),
}


def keeping(context: Context) -> Finding:
    """Processor time of statistics over that of keeping every run, median of interleaved samples."""
    subject = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    model, rows = load_model(subject.path), subject.draws(context.draws)
    cases = {name: rows[:, column] for column, name in enumerate(subject.parameters)}
    run = partial(run_ensemble, model, cases, outcomes=subject.outcomes, threads=1)
    tasks = {name: Task(partial(run, keep=keep), context.draws) for name, (keep, _) in KINDS.items()}
    timings = interleaved(tasks, context.rounds)
    finding = Finding(f"keeping: digi31, {context.draws:,} draws, one thread, against keeping every run")
    base = timings["every run"]
    for name, (_, goal) in KINDS.items():
        ratio, of_best = timings[name].median / base.median, timings[name].best / base.best
        told = "" if goal is None else f" {verdict(ratio, goal, least=False)}; best against best {of_best:.2f}"
        finding.lines.append(f"{name}: {ratio:.2f}{told}")
        finding.record[name] = timings[name].as_dict()
    return finding
