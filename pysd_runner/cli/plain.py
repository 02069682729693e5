"""Values as JSON knows them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold.

    >>> plain({"gap": float("nan"), "file": Path("a.csv"), "years": (2025, 2030)})
    {'gap': None, 'file': 'a.csv', 'years': [2025, 2030]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy, without importing it here
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    return [plain(item) for item in value]
