"""Measures the engine side by side with others: python -m benchmarks --help."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines import Engine, Unavailable, all_engines, compiled_engines
from benchmarks.extras import Context, extras
from benchmarks.machine import machine, versions
from benchmarks.models import MODELS, find_subject
from benchmarks.ratios import Comparison, compare
from benchmarks.table import heading, ratio_table

YARDSTICKS = Path(__file__).parents[2] / "shared" / "benchmarks"

OURS = ("llvm", "numpy")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--model", nargs="*", choices=MODELS, default=None, help="models to run; all by default")
    parser.add_argument("--engine", nargs="+", default=None, help="engines to run, by name; all by default")
    parser.add_argument(
        "--processor",
        nargs="+",
        default=[],
        help="also measure code for these, such as x86-64-v3 (AVX2)",
    )
    parser.add_argument("--extra", nargs="*", choices=tuple(extras()), default=None, help="further measurements; all")
    parser.add_argument("--rounds", type=int, default=7, help="samples of each engine (7)")
    parser.add_argument("--draws", type=int, default=4096, help="draws of an ensemble (4096)")
    parser.add_argument("--json", type=Path, default=None, help="file for every raw number")
    parser.add_argument("--world3", type=Path, default=None, help="World3-03 as a Vensim file")
    parser.add_argument("--yardsticks", type=Path, default=YARDSTICKS, help="folder of digi1, digi31 and their C")
    parser.add_argument("--sdeverywhere", type=Path, default=None, help="folder in which SDEverywhere is installed")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run the benchmarks and print ratios.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        Exit code: 1 if an engine of ours gave other numbers than the rest.
    """
    options = arguments(given)
    engines = all_engines(options.yardsticks, options.sdeverywhere)
    if unknown := set(options.engine or ()) - set(engines):
        sys.exit(f"no engine is called {', '.join(map(repr, sorted(unknown)))}; known: {', '.join(engines)}")
    engines = _chosen(engines, options)
    record: dict[str, Any] = {"machine": machine(), "versions": versions(), "processors": {}}
    print(heading(record["machine"], record["versions"], engines.values()))
    record["models"], failed = _compared(engines, options)
    for processor in options.processor:
        print(f"\nCompiled for {processor}:")
        engines = _chosen(compiled_engines(options.yardsticks, options.sdeverywhere, processor), options)
        record["processors"][processor], failed_too = _compared(engines, options, processor)
        failed |= failed_too
    record["extras"] = _extras(options)
    if options.json is not None:
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return int(failed)


def _chosen(engines: Mapping[str, Engine], options: argparse.Namespace) -> dict[str, Engine]:
    return {name: engine for name, engine in engines.items() if not options.engine or name in options.engine}


def _compared(
    engines: Mapping[str, Engine], options: argparse.Namespace, processor: str = "native"
) -> tuple[dict[str, Any], bool]:
    """Every raw number by model, and whether engines disagree; tables are printed."""
    found, failed = {}, False
    for name in MODELS if options.model is None else options.model:
        with tempfile.TemporaryDirectory(prefix="gapsim-bench-") as folder:
            try:
                subject = find_subject(name, yardsticks=options.yardsticks, world3=options.world3, folder=Path(folder))
            except FileNotFoundError as error:
                print(f"\n{error}")
                continue
            comparison = compare(subject, engines, draws=options.draws, rounds=options.rounds, folder=Path(folder))
        found[name] = comparison.as_dict()
        failed |= _show(comparison, processor)
    return found, failed


def _extras(options: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for name in tuple(extras()) if options.extra is None else options.extra:
        with tempfile.TemporaryDirectory(prefix="gapsim-bench-") as folder:
            context = Context(options.yardsticks, Path(folder), options.draws, options.rounds)
            try:
                finding = extras()[name](context)
            except (FileNotFoundError, ImportError, Unavailable) as error:
                print(f"\n{name}: left out: {error}", flush=True)
                continue
        print(f"\n{finding}", flush=True)
        found[name] = {"title": finding.title, "lines": finding.lines, **finding.record}
    return found


def _show(comparison: Comparison, processor: str) -> bool:
    """Print the tables of one model; returns whether engines disagree."""
    for base in OURS:
        if base in comparison.single:
            print(f"\n{ratio_table(comparison, base, processor)}", flush=True)
    return not all(item.same for item in comparison.agreements.values())


if __name__ == "__main__":
    sys.exit(main())
