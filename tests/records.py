"""Records changed by somebody who knows how to seal them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pysd_runner.export.records import write_record


def resealed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the content of a record, and its seal with it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["seal"]
    change(content)
    write_record(path, content, schema=content.pop("schema", None), allow_nan=True)
