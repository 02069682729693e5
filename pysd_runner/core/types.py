"""Kinds of arrays and mappings, as annotations name them, and the kind of most classes: frozen, with named fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, dataclass_transform

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
# Mappings by name: arrays, numbers and texts; values of variables or parameters of a model; entries of a file or table.
Arrays = Mapping[str, Array]
Numbers = Mapping[str, float]
Texts = Mapping[str, str]
Values = Mapping[str, Any]
Record = Mapping[str, Any]
# Lower and upper end.
Interval = tuple[float, float]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(own: type | None = None, /, **settings: bool) -> Any:
    """Make a data class with slots whose fields are given by name; `eq` and `repr` may be set, as in `dataclass`."""
    make: Any = partial(dataclass, frozen=True, kw_only=True, slots=True, **settings)
    return make if own is None else make(own)
