"""Checks of the installation: versions, files, fonts, folders, and the engines compared with PySD."""

import platform
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.core.errors import GapsimError
from pysd_runner.core.findings import Finding, Severity
from pysd_runner.core.paths import models_folder

if TYPE_CHECKING:
    from pysd_runner.simulation import Run

# Maximum relative difference between engines that rounding can explain.
PARITY = 1e-10
# Model, regions and years of the self-test; small, because PySD needs about half a second for each simulated year.
TEST_MODEL, TEST_REGIONS, TEST_YEARS = "regional_digital", 2, 1


def examine_installation() -> Iterator[Finding]:
    """Examine this installation, one finding after the other."""
    yield Finding("python", f"{platform.python_version()} on {platform.system()}", "ok")
    for name in ("gapsim", *_requirements()):
        yield _package(name)
    for subject, examine in _EXAMINATIONS.items():
        yield _examined(subject, examine)


def _examined(subject: str, examine: Callable[[], tuple[Severity, str]]) -> Finding:
    """Run one check; an error in it becomes a finding, so that the other checks still run."""
    try:
        verdict, text = examine()
    except (GapsimError, OSError, ArithmeticError, ImportError) as error:
        verdict, text = "error", f"{type(error).__name__}: {error}"
    return Finding(subject, text, verdict)


def _requirements() -> list[str]:
    """Names of the packages that this package requires."""
    needed = [text for text in requires("gapsim") or () if "extra ==" not in text]
    return [
        "".join(character if character.isalnum() or character in "-_." else " " for character in text).split()[0]
        for text in needed
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name), "ok")
    except PackageNotFoundError:
        return Finding(name, f"not installed; python -m pip install {name}")


def _shipped() -> tuple[Severity, str]:
    from pysd_runner.data import shipped_panels
    from pysd_runner.scenarios import shipped_scenarios

    panels, scenarios = shipped_panels(), shipped_scenarios(TEST_MODEL)
    return "ok", f"{len(panels)} panel, {len(scenarios)} scenarios in {models_folder()}"


def _fonts() -> tuple[Severity, str]:
    from pysd_runner.plots.style import BASE, families

    found = [name for name in families() if name != BASE]
    if found:
        return "ok", ", ".join(found)
    return "warning", "no font for Chinese; labels of figures fall back to English: install for instance fonts-noto-cjk"


def _writable(folder: Path) -> Callable[[], tuple[Severity, str]]:
    def examine() -> tuple[Severity, str]:
        with tempfile.TemporaryFile(dir=folder):
            return "ok", str(folder)

    return examine


def _processor() -> tuple[Severity, str]:
    """CPU and vector width for which the compiled engine generates code on this machine."""
    from pysd_runner.core.errors import UnsupportedFeature
    from pysd_runner.engine import host

    try:
        found = host()
    except UnsupportedFeature as error:
        return "warning", f"{error}; NumPy takes over, with the same numbers at a lower speed"
    return "ok", f"{found.cpu}, vectors of {found.vector_bytes // 8} numbers in double precision"


def _parity() -> tuple[Severity, str]:
    """Compare the engines with PySD on a small run."""
    from pysd_runner.engine import Engine, chosen
    from pysd_runner.model import load_model
    from pysd_runner.simulation import simulate

    model = load_model(TEST_MODEL, regions=TEST_REGIONS)
    start = float(simulate(model, outcomes=["TIME STEP"]).years[0])
    engines: list[Engine] = ["numpy", "llvm"] if chosen("auto") == "llvm" else ["numpy"]
    ours = [simulate(model, start=start, stop=start + TEST_YEARS, engine=name) for name in engines]
    theirs = simulate(model, start=start, stop=start + TEST_YEARS, engine="pysd")
    worst, where = max(_difference(run, theirs) for run in ours)
    text = f"{' and '.join(engines)}: {len(theirs.data)} variables, largest relative difference to PySD {worst:.1g}"
    if worst <= PARITY:
        return "ok", text
    return "error", f"{text}, in {where!r}; results of this installation cannot be trusted: reinstall it"


def _difference(ours: "Run", theirs: "Run") -> tuple[float, str]:
    import numpy as np

    found = []
    for name, values in theirs.data.items():
        difference = np.abs(ours[name] - values) / np.maximum(np.abs(values), 1e-2)
        found.append((float(difference.max(initial=0.0)), name))
    return max(found)


_EXAMINATIONS: dict[str, Callable[[], tuple[Severity, str]]] = {
    "shipped files": _shipped,
    "fonts for Chinese": _fonts,
    "temporary folder": _writable(Path(tempfile.gettempdir())),
    "current folder": _writable(Path()),
    "compiled engine": _processor,
    "engine": _parity,
}
