"""What most classes of the package are: records of named fields that never change."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, dataclass_transform


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(own: type | None = None, /, **settings: bool) -> Any:
    """Make a data class with slots whose fields are given by name; `eq` and `repr` may be set, as in `dataclass`."""
    make: Any = partial(dataclass, frozen=True, kw_only=True, slots=True, **settings)
    return make if own is None else make(own)
