"""Type aliases of arrays and mappings, and the decorator of most classes: frozen data classes with keyword fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, dataclass_transform

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
# Mappings by name: arrays, numbers and strings; values of variables or parameters; entries of a file or table.
Arrays = Mapping[str, Array]
Numbers = Mapping[str, float]
Texts = Mapping[str, str]
Values = Mapping[str, Any]
Record = Mapping[str, Any]
# Lower and upper end.
Interval = tuple[float, float]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(own: type | None = None, /, **settings: bool) -> Any:
    """Make a frozen data class with slots and keyword-only fields; settings are those of `dataclass`."""
    make: Any = partial(dataclass, **{"frozen": True, "kw_only": True, "slots": True, **settings})
    return make if own is None else make(own)
