"""Writes the results of a run into docs/benchmarks.md: python -m benchmarks.page numbers.json docs/benchmarks.md."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.targets import ENSEMBLE, SINGLE

BEGIN, END = "<!-- results: written by benchmarks.page -->", "<!-- end of results -->"
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
    machine, versions = record["machine"], record["versions"]
    width = f"{machine['vector_bits']}-bit vectors ({'AVX-512' if machine['avx512'] else 'no AVX-512'})"
    packages = ", ".join(f"{name} {item}" for name, item in versions.items() if name != "gapsim")
    parts = [
        f"Measured on {machine['date']}: {machine['processor']} (family/model {machine['family_model']}), {width}, "
        f"{machine['cores']} cores, load {machine['load'][0]:.1f} at the start; {packages}.",
        "How many times longer the others take than the compiled engine per run, best sample against best sample; what "
        "is to be reached stands in brackets, in bold where it is missed.",
        "**Ensemble**",
        _table(record["models"], "ensemble", ENSEMBLE),
        "**Single run**",
        _table(record["models"], "single", SINGLE),
    ]
    for finding in record.get("extras", {}).values():
        lines = "\n".join(f"* {line.strip()}" for line in finding["lines"])
        parts.append(f"**{finding['title'][0].upper()}{finding['title'][1:]}**\n\n{lines}")
    return "\n\n".join(parts)


def _table(models: Mapping[str, Any], kind: str, goals: Mapping[tuple[str, str], float]) -> str:
    shown = [name for name in models if BASE in models[name][kind]]
    engines = dict.fromkeys(engine for name in shown for engine in models[name][kind] if engine != BASE)
    lines = ["| | " + " | ".join(TITLES[name] for name in shown) + " |", "|---|" + "---:|" * len(shown)]
    for engine in engines:
        cells = [_cell(models[name], kind, engine, goals.get((engine, name))) for name in shown]
        lines.append(f"| {engine} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(model: Mapping[str, Any], kind: str, engine: str, goal: float | None) -> str:
    if engine not in model[kind]:
        return ""
    ratio = model[kind][engine]["best"] / model[kind][BASE]["best"]
    text = f"{_rounded(ratio)}x"
    if goal is None:
        return text
    return f"{text} ({goal:,.0f})" if ratio >= goal else f"**{text}** ({goal:,.0f})"


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
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n\n{results(record)}\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
