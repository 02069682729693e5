"""A copy of the shipped model whose variables all have other names."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from pysd_runner.core.paths import model_folder
from pysd_runner.model import load_model

SHIPPED = "regional_digital"
CONTROLS = {"FINAL TIME", "INITIAL TIME", "SAVEPER", "TIME STEP"}


def renamed_folder(folder: Path) -> dict[str, str]:
    """Write the copy into a folder; gives the new names by the old ones."""
    names = [name for name in load_model(SHIPPED).variables if name not in CONTROLS]
    # Other words in another alphabetical order, so that nothing rests on spelling or sorting.
    new = {
        name: f"Quantity {len(names) - place} {name[::-1].title().replace(' ', '')}" for place, name in enumerate(names)
    }
    home = model_folder(SHIPPED)
    shutil.copytree(home, folder, ignore=shutil.ignore_patterns("data"))
    _rewrite(folder / "model.mdl", lambda text: _in_equations(text, new))
    for file in (folder / "model.toml", folder / "checks.toml"):
        _rewrite(file, lambda text: _quoted(text, new))
    for file in (folder / "scenarios").glob("*.yaml"):
        _rewrite(file, lambda text: _as_keys(text, new))
    return new


def _rewrite(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")


def _any(names: dict[str, str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _in_equations(text: str, new: dict[str, str]) -> str:
    """Names in the equations, not in units, comments, ranges and headings of groups."""
    pattern = re.compile(rf"(?<!\w)(?<!\w )({_any(new)})(?! ?\w)")
    parts = re.split(r"(~[^|]*\||\*{10,}.*?\|)", text, flags=re.S)
    return "".join(part if part.startswith(("~", "*")) else _replaced(part, pattern, new) for part in parts)


def _replaced(part: str, pattern: re.Pattern[str], new: dict[str, str]) -> str:
    # Elements of ranges in brackets may have the name of a variable.
    pieces = re.split(r"(\[[^\]]*\])", part)
    return "".join(piece if piece.startswith("[") else pattern.sub(lambda m: new[m[1]], piece) for piece in pieces)


def _quoted(text: str, new: dict[str, str]) -> str:
    """Names that are values between quotes, or several with bars; keys, labels and notes stay."""
    pattern = re.compile(rf'("|\| )({_any(new)})(?="| \|)')
    lines = text.splitlines(keepends=True)
    kept = ("en =", "zh =", "element =", "note =", "region =", "lever =", "policy_class =", "unit =")
    return "".join(line if line.startswith(kept) else pattern.sub(lambda m: m[1] + new[m[2]], line) for line in lines)


def _as_keys(text: str, new: dict[str, str]) -> str:
    pattern = re.compile(rf"^(\s+)({_any(new)}):", re.M)
    return pattern.sub(lambda m: f"{m[1]}{new[m[2]]}:", text)
