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
# Arrays of numbers by name; values of variables or parameters of a model by name; entries of a file or a table by key.
Arrays = Mapping[str, Array]
Values = Mapping[str, Any]
Record = Mapping[str, Any]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(own: type | None = None, /, **settings: bool) -> Any:
    """Make a data class with slots whose fields are given by name; `eq` and `repr` may be set, as in `dataclass`."""
    make: Any = partial(dataclass, frozen=True, kw_only=True, slots=True, **settings)
    return make if own is None else make(own)
