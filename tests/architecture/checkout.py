"""The files of the checkout, as far as they belong to the project."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("gapsim", "pysd_runner", "calibration")


@cache
def project_files() -> tuple[Path, ...]:
    """Every tracked file; without Git, every file below the folders of the project."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout.split("\0")
        found = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        folders = (*PACKAGES, "models", "tests", "docs", ".ci")
        found = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
        found += list(ROOT.glob("*.*"))
    return tuple(sorted(path for path in found if path.is_file()))


def source_files() -> list[Path]:
    """Python files of the packages."""
    return [path for path in project_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES]
