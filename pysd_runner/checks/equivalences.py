"""Words for one unit that a Vensim file lists among its settings."""

import re
from pathlib import Path

# Settings stand behind the sketch; a line of kind 22 lists words for one unit.
_SETTINGS = "///---\\\\\\"
_EQUIVALENCE = re.compile(r"^22:(.+)$", re.MULTILINE)


def unit_equivalences(path: Path) -> list[tuple[str, ...]]:
    """Words for one unit that a model file lists."""
    if not path.is_file():
        return []
    _, _, settings = path.read_bytes().decode("utf-8", errors="replace").replace("\r", "").partition(_SETTINGS)
    groups = [tuple(word.strip() for word in line.split(",")) for line in _EQUIVALENCE.findall(settings)]
    return [tuple(word for word in group if word) for group in groups if any(group)]
