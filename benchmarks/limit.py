"""The distance to what the processor can do: operations counted against its peak, and what binds."""

import ctypes
import platform
import re
from functools import partial
from pathlib import Path

from benchmarks.counting import RULE, Count, operations
from benchmarks.engines import Prepared, Unavailable
from benchmarks.engines.compiling import flags, shared_library
from benchmarks.engines.hand_written import HandWritten
from benchmarks.engines.ours import CONTROLS, LlvmModel, Ours
from benchmarks.extras import Context, Finding
from benchmarks.machine import machine
from benchmarks.measure import Task, interleaved, timed
from benchmarks.models import DIGI_OUTCOMES, DIGI_PARAMETERS, SHIPPED, Subject, find_subject, subject

# Sixteen independent chains hide the latency of one another.
PEAKS = """
typedef double v __attribute__((vector_size(BYTES)));
#define KEEP(a) __asm__ volatile("" : CONSTRAINT(a))
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define START(k) v a##k = (v){} + 1.0 + k;
#define SUM(k) + a##k[0]
#define LOOP(NAME, STEP) double NAME(long n) { v m = (v){} + 0.9999999, c = (v){} + 1e-7; KEEP(m); KEEP(c); \\
  ALL(START) for (long i = 0; i < n; i++) { ALL(STEP) } return 0 ALL(SUM); }
#define FMA(k) a##k = a##k * m + c; KEEP(a##k);
#define ADD(k) a##k = a##k + c; KEEP(a##k);
#define DIV(k) a##k = m / a##k; KEEP(a##k);
LOOP(fma_peak, FMA)
LOOP(add_peak, ADD)
LOOP(div_peak, DIV)
"""

# How GNU C names a vector register.
CONSTRAINTS = {"x86_64": '"+v"', "aarch64": '"+w"'}
CHAINS = 16
PASSES = 2_000_000

# Variants of digi31 in which one kind of operation is replaced by a cheap one: what they save is what it costs.
VARIANTS = {
    "the two powers": [(r"\^tech elasticity", "*tech elasticity"), (r"\^infra elasticity", "*infra elasticity")],
    "the exponential": [(r"EXP\(-trust\*Digital Literacy\[Region\]\)", "(1-trust*Digital Literacy[Region])")],
    "the table function": [
        (
            r"saturation lookup\(Digital Infrastructure\[Region\]/infra capacity\[Region\]\)",
            "(1-Digital Infrastructure[Region]/infra capacity[Region])",
        )
    ],
    # The factor keeps the variant's numbers finite.
    "divisions in equations": [(r"(?<=[\w\])])/(?=[\w(])", "*0.1*")],
}


def limit(context: Context) -> Finding:
    """Operations per second of digi31 against the peak, and the share of each kind of operation."""
    digi = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    ours = Ours("llvm").prepare(digi, context.folder)
    count = _count(ours, digi)
    peaks = measured_peaks(context.folder)
    rows = digi.draws(context.draws)
    tasks = {
        "llvm ensemble": Task(partial(ours.ensemble, rows), len(rows)),
        "llvm single": Task(partial(ours.single, rows[0])),
    }
    for fast in (False, True):
        hand = HandWritten(context.yardsticks, fast=fast)
        tasks[hand.name] = Task(partial(hand.prepare(digi, context.folder).ensemble, rows[:1024].copy()), 1024)
    for name, item in variants(digi, context.folder).items():
        tasks[f"without {name}"] = Task(partial(Ours("llvm").prepare(item, context.folder).ensemble, rows), len(rows))
    timings = interleaved(tasks, context.rounds)
    finding = Finding(f"distance to the limit: digi31 takes {count.total / 1e6:.2f} million operations a run")
    finding.lines.append(RULE)
    finding.lines.append(_divisions(count))
    finding.lines.append(
        f"one core: {peaks['fma']:.1f} Gop/s of multiply-adds (two each), {peaks['add']:.1f} of additions, "
        f"{peaks['divide']:.2f} of divisions"
    )
    for name, timing in timings.items():
        rate = count.total / timing.best / 1e9
        if not name.startswith("without"):
            shares = f"{rate / peaks['fma']:.0%} of the peak, {rate / peaks['add']:.0%} of that without multiply-adds"
            finding.lines.append(f"{name}: {rate:.1f} Gop/s, {shares}")
    whole = timings["llvm ensemble"].best
    for name in VARIANTS:
        share = 1 - timings[f"without {name}"].best / whole
        finding.lines.append(f"time that goes to {name}: {share:.0%}")
    written = digi.series * digi.years * 8 / whole / 1e9
    finding.lines.append(f"results are written at {written:.2f} GB/s")
    shipped = find_subject(SHIPPED, yardsticks=context.yardsticks, world3=None, folder=context.folder)
    other = _count(Ours("llvm").prepare(shipped, context.folder), shipped).total
    finding.lines.append(
        f"the shipped model takes {other / 1e6:.2f} million operations a run: {other / peaks['fma'] / 1e3:.0f} us at "
        f"the peak, {other / peaks['add'] / 1e3:.0f} us at that without multiply-adds"
    )
    finding.record = {
        "operations": count.total,
        "operations_shipped": other,
        "by_name": count.by_name,
        "peaks": peaks,
        "timings": {name: item.as_dict() for name, item in timings.items()},
    }
    return finding


def _count(prepared: Prepared, item: Subject) -> Count:
    """Operations of a run of a model by the compiled engine."""
    if not isinstance(prepared, LlvmModel):
        raise TypeError("the limit is that of the compiled engine")
    loaded = prepared.loaded
    return operations(loaded.model.ir, item.outcomes, frozenset((*CONTROLS, *item.parameters)), loaded.clock.times.size)


def _divisions(count: Count) -> str:
    named = sorted(count.by_name.items(), key=lambda item: -item[1])
    return "of these: " + ", ".join(f"{times / 1e3:.0f}k {name}" for name, times in named)


def measured_peaks(folder: Path) -> dict[str, float]:
    """Operations per second and core, in thousand millions, of multiply-adds (two each), additions and divisions."""
    bits = machine()["vector_bits"] or 128
    source = folder / "peaks.c"
    constraint = CONSTRAINTS.get(platform.machine())
    if constraint is None:
        raise Unavailable(f"the peak of a {platform.machine()} is not measured")
    source.write_text(PEAKS.replace("BYTES", str(bits // 8)).replace("CONSTRAINT", constraint))
    library = shared_library([source], folder / "peaks.so", flags())
    found = {}
    for name, each, passes in (("fma", 2, PASSES), ("add", 1, PASSES), ("div", 1, PASSES // 10)):
        function = getattr(library, f"{name}_peak")
        function.restype = ctypes.c_double
        seconds = min(timed(partial(function, ctypes.c_long(passes)))[1] for _ in range(5))
        found["divide" if name == "div" else name] = each * CHAINS * (bits // 64) * passes / seconds / 1e9
    return found


def variants(digi: Subject, folder: Path) -> dict[str, Subject]:
    """The variants of digi31 by what they leave out."""
    found = {}
    for number, (name, changes) in enumerate(VARIANTS.items()):
        text = digi.path.read_text(encoding="utf-8")
        head, tail = text.split("region investment[Region]=", 1)
        for pattern, replacement in changes:
            tail, times = re.subn(pattern, replacement, tail)
            if not times:
                raise ValueError(f"digi31 has nothing of the form {pattern}")
        path = folder / f"variant_{number}.mdl"
        path.write_text(f"{head}region investment[Region]={tail}", encoding="utf-8")
        found[name] = subject(f"variant {number}", path, DIGI_PARAMETERS, DIGI_OUTCOMES)
    return found
