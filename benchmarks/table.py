"""Tables of ratios as text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks import targets
from benchmarks.agreement import TOLERANCE
from benchmarks.engines import Engine
from benchmarks.ratios import Comparison

# Calls that do more than the one that is compared.
SLOWER = (
    ("fresh", "ensemble", "the ensemble whose arrays are made anew"),
    ("once", "single", "the single run whose arrays are made anew"),
    ("labelled", "single", "the labelled call, simulate,"),
)


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    made = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([made[0], "-" * len(made[0]), *made[1:]])


def ratio_table(comparison: Comparison, base: str, processor: str = "native") -> str:
    """How many times longer each engine takes than one of ours, best and median, with what is to be reached.

    Parameters
    ----------
    comparison
        One model.
    base
        The engine the others are compared with.
    processor
        What the code was made for.
    """
    others = [name for name in comparison.ensemble if name != base]
    rows = [
        [name, *(cell for kind in ("ensemble", "single") for cell in _pair(comparison, kind, name, base, processor))]
        for name in others
    ]
    header = ["against", "ensemble", "(median)", "to reach", "single", "(median)", "to reach"]
    subject = comparison.subject
    title = f"{subject.name}: {base} against other engines, {subject.series} series x {subject.years} moments saved"
    return "\n".join([title, text_table(header, rows), *_notes(comparison, base)])


def _pair(comparison: Comparison, kind: str, name: str, base: str, processor: str) -> list[str]:
    best = comparison.ratio(kind, name, base)
    middle = comparison.ratio(kind, name, base, best=False)
    if best is None or middle is None:
        return ["-", "", ""]
    wanted = targets.goal(processor, base, kind, name, comparison.subject.name)
    reached = best if processor == "native" else middle
    goal = "" if wanted is None else f"{wanted:,g} {'met' if reached >= wanted else 'MISSED'}"
    return [f"{_times(best)}", f"({_times(middle)})", goal]


def _times(value: float) -> str:
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def _notes(comparison: Comparison, base: str) -> list[str]:
    notes = []
    for kind, like, what in SLOWER:
        timings, quicker = getattr(comparison, kind), getattr(comparison, like)
        if base in timings:
            notes.append(f"  {what} takes {_times(timings[base].best / quicker[base].best)} that")
    few = {name: len(item.cpu) for name, item in comparison.single.items()}
    most = max(few.values(), default=0)
    notes += [f"  {name}: {count} rounds, the others {most}" for name, count in few.items() if count < most]
    notes += [f"  {name}: {item.note}" for name, item in comparison.agreements.items() if item.note]
    notes += [f"  {name}: {reason}" for name, reason in comparison.unavailable.items()]
    gaps = [item.difference for item in comparison.agreements.values()]
    worst = max((gap for gap in gaps if gap <= TOLERANCE), default=0.0)
    notes.append(f"  numbers agree to {worst:.0e} of the largest value of each series")
    return notes


def heading(machine: Mapping[str, Any], versions: Mapping[str, str], engines: Iterable[Engine]) -> str:
    """What was measured on, and what each engine is."""
    width = f"{machine['vector_bits']}-bit vectors ({'AVX-512' if machine['avx512'] else 'no AVX-512'})"
    load = ", ".join(f"{item:.2f}" for item in machine["load"])
    lines = [
        f"{machine['processor']} (family/model {machine['family_model']}), {width}, {machine['cores']} cores",
        f"load {load}, {machine['system']}, {machine['date']}",
        ", ".join(f"{name} {item}" for name, item in versions.items()),
        "Processor time per run on one core, engines in turn; ratios of best samples, in brackets the median of pairs.",
        *(f"  {engine.name}: {engine.version()}{'; ' + engine.note if engine.note else ''}" for engine in engines),
    ]
    return "\n".join(lines)
