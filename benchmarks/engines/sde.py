"""The C that SDEverywhere generates, where it can be had."""

import ctypes
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.engines import Array, Unavailable
from benchmarks.engines.compiling import compiler_version, flags, pointer, shared_library
from benchmarks.models import Subject

GENERATE = """
import { readFileSync } from 'node:fs'
import { parseAndGenerate } from '@sdeverywhere/compile'
const [model, spec, folder] = process.argv.slice(2)
await parseAndGenerate(readFileSync(model, 'utf8'), 'vensim', JSON.parse(readFileSync(spec, 'utf8')), ['generateC'],
  folder, 'generated', folder)
"""

# Its own entry point, called for every draw; a loop in C, so that no time goes to Python.
LOOP = """
void runModel(double *inputs, double *outputs);
void run_all(double *inputs, double *outputs, long draws, long width, long length) {
  for (long draw = 0; draw < draws; draw++) runModel(inputs + draw * width, outputs + draw * length);
}
"""


@dataclass(slots=True)
class PreparedSDE:
    """The compiled library, and the array it writes to, which is made once."""

    library: ctypes.CDLL
    subject: Subject
    kept: dict[int, Array] = field(default_factory=dict)

    def ensemble(self, draws: Array) -> Array:
        """Run all draws into one array, shape (draw, series, year)."""
        if len(draws) not in self.kept:
            self.kept.clear()
            self.kept[len(draws)] = np.zeros((len(draws), self.subject.series, self.subject.years))
        return self._run(draws, self.kept[len(draws)])

    def single(self, row: Array) -> Array:
        """Run one draw into a new array."""
        return self._run(row[None, :], np.empty((1, self.subject.series, self.subject.years)))

    def _run(self, draws: Array, out: Array) -> Array:
        count, width = draws.shape
        length = out.shape[1] * out.shape[2]
        arguments = (ctypes.c_long(item) for item in (count, width, length))
        self.library.run_all(pointer(draws), pointer(out), *arguments)
        return out

    def series(self, result: Array) -> Array:
        """Saved series, shape (draw, series, year)."""
        return result.copy()


@dataclass(frozen=True, slots=True)
class SDEverywhere:
    """A folder with @sdeverywhere/compile in node_modules, and its C sources in @sdeverywhere/cli or in a folder c."""

    folder: Path | None
    fast: bool
    processor: str = "native"
    note: str = ""
    batched: bool = False
    loads: int = 1

    @property
    def name(self) -> str:
        """As in the tables."""
        return "SDEverywhere C -O3 -ffast-math" if self.fast else "SDEverywhere C -O3"

    def version(self) -> str:
        """Version of the generator and of the C compiler."""
        try:
            package = self._packages() / "compile" / "package.json"
        except Unavailable as error:
            return str(error)
        return f"@sdeverywhere/compile {json.loads(package.read_text())['version']}, {compiler_version()}"

    def prepare(self, subject: Subject, folder: Path) -> PreparedSDE:
        """Generate and compile the C of a model in a temporary folder."""
        place = folder / f"sde_{subject.name}_{self.fast}"
        shutil.copytree(self._sources(), place)
        (place / "node_modules").symlink_to(self._packages().parent)
        (place / "main.c").unlink(missing_ok=True)
        (place / "loop.c").write_text(LOOP)
        (place / "generate.mjs").write_text(GENERATE)
        (place / "model.mdl").write_text(_logarithms(subject.path.read_text(encoding="utf-8", errors="replace")))
        (place / "spec.json").write_text(json.dumps(_specification(subject)))
        command = ["node", "generate.mjs", "model.mdl", "spec.json", str(place)]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode or not (place / "generated.c").is_file():
            raise Unavailable(f"SDEverywhere cannot translate {subject.name}: {_reason(done.stdout + done.stderr)}")
        chosen = flags(self.processor, fast=self.fast)
        library = shared_library(sorted(place.glob("*.c")), place / "generated.so", chosen)
        library.run_all.restype = None
        return PreparedSDE(library, subject)

    def _packages(self) -> Path:
        if self.folder is None or shutil.which("node") is None:
            raise Unavailable("left out: no folder with SDEverywhere was named, or there is no node")
        packages = (self.folder / "node_modules" / "@sdeverywhere").resolve()
        if not (packages / "compile").is_dir():
            raise Unavailable("left out: @sdeverywhere/compile is not installed in the folder named")
        return packages

    def _sources(self) -> Path:
        for place in (self._packages() / "cli" / "src" / "c", Path(self.folder or ".") / "c"):
            if place.is_dir():
                return place
        raise Unavailable("left out: the C sources of @sdeverywhere/cli are not there")


def _specification(subject: Subject) -> dict[str, list[str]]:
    outputs = [
        outcome + (f"[{','.join(label)}]" if label else "")
        for outcome, labels in zip(subject.outcomes, subject.labels, strict=True)
        for label in labels
    ]
    return {"inputVarNames": list(subject.parameters), "outputVarNames": outputs}


def _logarithms(text: str) -> str:
    """A model with its logarithms to a base, which this generator does not know, as quotients of natural ones."""
    return re.sub(r"\bLOG\s*\(([^(),]+),([^(),]+)\)", r"(LN(\1)/LN(\2))", text)


def _reason(text: str) -> str:
    return " ".join(text.split())[:300]
