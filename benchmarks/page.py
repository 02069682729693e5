"""Writes the results of a run into docs/benchmarks.md: python -m benchmarks.page numbers.json docs/benchmarks.md.

A run with ``--processor`` goes into the part on processors, any other into the main results.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.targets import ENSEMBLE, SINGLE, goal

BEGIN, END = "<!-- results: written by benchmarks.page -->", "<!-- end of results -->"
PROCESSORS = ("<!-- processors: written by benchmarks.page -->", "<!-- end of processors -->")
BASE = "llvm"
TITLES = {"digi1": "digi1", "digi31": "digi31", "world3": "World3-03", "regional_digital": "shipped, 31 regions"}


def results(record: Mapping[str, Any]) -> str:
    """The results of a run in Markdown.

    Parameters
    ----------
    record
        What the command wrote with ``--json``.

    Returns
    -------
    str
        Two tables of ratios, then the further measurements.
    """
    parts = [
        _measured_on(record),
        "How many times longer the others take than the compiled engine per run, best sample against best sample; what "
        "is to be reached stands in brackets, in bold where it is missed.",
        "**Ensemble**",
        _table(record["models"], "ensemble", ENSEMBLE),
        "**Single run**",
        _table(record["models"], "single", SINGLE),
    ]
    return "\n\n".join([*parts, *_extras(record)])


def by_processor(record: Mapping[str, Any]) -> str:
    """The results of a run with further processors in Markdown: a table for each, medians of pairs of samples."""
    rounds = len(next(iter(record["models"].values()))["single"][BASE]["cpu_seconds_per_run"])
    parts = [
        _measured_on(record),
        f"How many times longer C takes than the compiled engine per run, the median of {rounds} interleaved pairs of "
        "samples; to be reached is what stands in brackets, in bold if missed.",
        "**Compiled for this processor, C with -march=native**",
        _pairs(record["models"], "native"),
    ]
    for name, models in record["processors"].items():
        parts.append(f"**Compiled for {name}, C with -march={name}, run on the same processor**")
        parts.append(_pairs(models, name))
    return "\n\n".join([*parts, *_extras(record)])


def _pairs(models: Mapping[str, Any], processor: str) -> str:
    columns = [(name, kind) for name in models for kind in ("ensemble", "single")]
    engines = [name for name in next(iter(models.values()))["single"] if name != BASE]
    lines = ["| | " + " | ".join(f"{TITLES[name]}, {kind}" for name, kind in columns) + " |"]
    lines.append("|---|" + "---:|" * len(columns))
    for engine in engines:
        cells = []
        for name, kind in columns:
            ratio = _paired(models[name][kind], engine, BASE)
            cells.append(_with_goal(ratio, goal(processor, BASE, kind, engine, name)))
        lines.append(f"| {engine} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _paired(timings: Mapping[str, Any], engine: str, ours: str) -> float:
    samples = (timings[name]["cpu_seconds_per_run"] for name in (engine, ours))
    return float(median(theirs / own for theirs, own in zip(*samples, strict=True)))


def _measured_on(record: Mapping[str, Any]) -> str:
    machine, versions = record["machine"], record["versions"]
    width = f"{machine['vector_bits']}-bit vectors ({'AVX-512' if machine['avx512'] else 'no AVX-512'})"
    packages = ", ".join(f"{name} {item}" for name, item in versions.items() if name != "gapsim")
    return (
        f"Measured on {machine['date']}: {machine['processor']} (family/model {machine['family_model']}), {width}, "
        f"{machine['cores']} cores, load {machine['load'][0]:.1f} at the start; {packages}."
    )


def _extras(record: Mapping[str, Any]) -> list[str]:
    parts = []
    for finding in record.get("extras", {}).values():
        lines = "\n".join(f"* {line.strip()}" for line in finding["lines"])
        parts.append(f"**{finding['title'][0].upper()}{finding['title'][1:]}**\n\n{lines}")
    return parts


def _table(models: Mapping[str, Any], kind: str, goals: Mapping[tuple[str, str], float]) -> str:
    shown = [name for name in models if BASE in models[name][kind]]
    engines = dict.fromkeys(engine for name in shown for engine in models[name][kind] if engine != BASE)
    lines = ["| | " + " | ".join(TITLES[name] for name in shown) + " |", "|---|" + "---:|" * len(shown)]
    for engine in engines:
        cells = [_cell(models[name], kind, engine, goals.get((engine, name))) for name in shown]
        lines.append(f"| {engine} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(model: Mapping[str, Any], kind: str, engine: str, wanted: float | None) -> str:
    if engine not in model[kind]:
        return ""
    return _with_goal(model[kind][engine]["best"] / model[kind][BASE]["best"], wanted)


def _with_goal(ratio: float, wanted: float | None) -> str:
    text = f"{_rounded(ratio)}x"
    if wanted is None:
        return text
    return f"{text} ({wanted:,g})" if ratio >= wanted else f"**{text}** ({wanted:,g})"


def _rounded(ratio: float) -> str:
    """Two significant digits, three where the first is a one."""
    digits = 3 if f"{ratio:e}"[0] == "1" else 2
    number = float(f"{ratio:.{digits}g}")
    return f"{number:,.0f}" if number >= 10 ** (digits - 1) else f"{number:g}"


def write(record: Mapping[str, Any], page: Path) -> None:
    """Put the results of a run between the marks of a page.

    Parameters
    ----------
    record
        What the command wrote.
    page
        The page.
    """
    begin, end = PROCESSORS if record.get("processors") else (BEGIN, END)
    written = by_processor(record) if record.get("processors") else results(record)
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(begin)
    tail = rest.split(end)[1]
    page.write_text(f"{head}{begin}\n\n{written}\n\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
