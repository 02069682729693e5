"""Whether the tests notice small errors: each of `mutations.toml` is put into a copy, and its tests should fail.

`python -m tests.mutations` tries all of them; with words, those whose name holds them. It prints a line each, and the
share that was noticed. First, each must fit one place of the source, and the tests pass on the copy without any.
"""

import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = (
    "gapsim",
    "pysd_runner",
    "calibration",
    "models",
    "tests",
    "docs",
    "pyproject.toml",
    "README.md",
    "README.zh-CN.md",
)


def mutations() -> list[dict[str, str]]:
    """What is changed where, and the tests that should notice."""
    return tomllib.loads((ROOT / "tests" / "mutations.toml").read_text(encoding="utf-8"))["mutation"]


def is_noticed(place: Path, mutation: dict[str, str]) -> bool:
    """Whether tests fail on a copy with the mutation in it."""
    file = place / mutation["file"]
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(mutation["now"], mutation["mutated"]), encoding="utf-8")
    try:
        return not passes(place, mutation["tests"])
    finally:
        file.write_text(text, encoding="utf-8")


def passes(place: Path, tests: str) -> bool:
    """Run tests on the copy, in a child that has loaded the libraries already."""
    child = os.fork()
    if not child:
        os.chdir(place)
        with Path(os.devnull).open("w") as silence:
            os.dup2(silence.fileno(), 1)
            os.dup2(silence.fileno(), 2)
        sys.path.insert(0, str(place))
        import pytest

        os._exit(pytest.main(["-x", "-q", *tests.split()]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        raise SystemExit(f"{tests}: these could not be run (pytest ended with {code})")
    return code == 0


def main(words: list[str]) -> int:
    """Try the mutations and say which were noticed."""
    import llvmlite.binding  # noqa: F401
    import pandas as pd  # noqa: F401
    import scipy.stats  # noqa: F401
    import xarray as xr  # noqa: F401

    chosen = [item for item in mutations() if all(word in item["name"] for word in words)]
    for item in chosen:
        places = (ROOT / item["file"]).read_text(encoding="utf-8").count(item["now"])
        if places != 1:
            raise SystemExit(f"{item['name']}: {item['file']} holds {places} such places, not 1")
    noticed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place / name)
        for tests in sorted({item["tests"] for item in chosen}):
            if not passes(place, tests):
                raise SystemExit(f"{tests}: these fail without any mutation")
        for item in chosen:
            found = is_noticed(place, item)
            noticed += found
            print(f"{'noticed' if found else 'SURVIVED':<9} {item['name']}", flush=True)  # noqa: T201
    print(f"{noticed} of {len(chosen)} were noticed, {noticed / max(len(chosen), 1):.0%}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
