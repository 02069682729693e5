"""Type aliases of the engine's arrays, and the decorator of most of its classes: frozen data classes with slots."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, dataclass_transform

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(own: type | None = None, /, **settings: bool) -> Any:
    """Make a data class with slots whose fields cannot be set; `kw_only` and `eq` may be set, as in `dataclass`."""
    make: Any = partial(dataclass, frozen=True, slots=True, **settings)
    return make if own is None else make(own)
