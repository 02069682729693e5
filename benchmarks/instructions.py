"""How many instructions the programs of models have, on this processor and on others that need not run them."""

import re

import numpy as np

from benchmarks.engines import Unavailable
from benchmarks.engines.ours import Loaded, clock_of
from benchmarks.extras import Context, Finding
from benchmarks.models import SHIPPED, Subject, find_subject
from pysd_runner.model import load_model

# Processors by their names in LLVM, with the triple of their architecture.
PROCESSORS = {
    "AVX-512": ("x86-64-v4", "x86_64-unknown-linux-gnu"),
    "AVX2": ("x86-64-v3", "x86_64-unknown-linux-gnu"),
    "ARM64": ("neoverse-n1", "aarch64-unknown-linux-gnu"),
}
MODELS = ("digi1", "digi31", SHIPPED)

# A line of assembly that is neither a label nor a directive.
INSTRUCTION = re.compile(r"^\t[a-z]", re.MULTILINE)


def instructions(context: Context) -> Finding:
    """Instructions of each model's programs: over draws, and for a single run."""
    finding = Finding("instructions of programs, each counted once: ensemble / single run")
    for name in MODELS:
        item = find_subject(name, yardsticks=context.yardsticks, world3=None, folder=context.folder)
        counts = _counts(item)
        told = ", ".join(f"{title} {' / '.join(f'{count:,}' for count in found)}" for title, found in counts.items())
        finding.lines.append(f"{name}: {told}")
        finding.record[name] = counts
    return finding


def _counts(item: Subject) -> dict[str, list[int]]:
    try:
        from benchmarks.engines.compiling import processor_named
        from pysd_runner.engine.llvm.programs import assembly, machine_for, written
        from pysd_runner.engine.llvm.target import recipe_of
    except ImportError as error:
        raise Unavailable(str(error)) from error
    model = load_model(item.path)
    values = Loaded(model, item, clock_of(model), "llvm").values(np.tile(item.base, (64, 1)))
    counts: dict[str, list[int]] = {}
    for title, (cpu, triple) in PROCESSORS.items():
        processor = processor_named(cpu, triple)
        recipes = [recipe_of(item.outcomes, values, single=single, processor=processor) for single in (False, True)]
        texts = [written(model.ir, recipe)[1] for recipe in recipes]
        counts[title] = [len(INSTRUCTION.findall(assembly(text, machine_for(processor)))) for text in texts]
    return counts
