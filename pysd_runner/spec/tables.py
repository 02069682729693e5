"""One table of a declarations file, read key by key, with errors that carry the path inside the file."""

import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from pysd_runner.core.errors import InvalidModel, suggest


class Table:
    """A table that remembers which of its keys were read, so that the rest can be refused."""

    def __init__(self, values: dict[str, Any], place: str) -> None:
        self._values = values
        self._place = place
        self._known: list[str] = []

    def text(self, key: str, default: str | None = None) -> str:
        """Read a string."""
        value = self._take(key, default)
        if not isinstance(value, str):
            self.fail(key, f"expected a text in quotes, found {value!r}")
        if default is None and not value.strip():
            self.fail(key, "must not be empty")
        return value.strip()

    def number(self, key: str, default: float | None = None) -> float:
        """Read a finite number."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(key, f"expected a number without quotes, found {value!r}")
        # A whole number may have more digits than any other.
        if not abs(value) <= sys.float_info.max:
            self.fail(key, f"expected a finite number, found {value!r}")
        return float(value)

    def number_or_text(self, key: str) -> float | str:
        """Read a finite number, or a name that stands for one."""
        return self.text(key) if isinstance(self._values.get(key), str) else self.number(key)

    def optional_number(self, key: str) -> float | None:
        """Read a finite number, or None when the entry is missing."""
        if key in self._values:
            return self.number(key)
        self._known.append(key)
        return None

    def has(self, key: str) -> bool:
        """Whether the entry is there."""
        return key in self._values

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Read a truth value."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"expected true or false, found {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of distinct, non-empty strings; empty when the entry is missing."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self.fail(key, f"expected a list of texts, found {value!r}")
        if len(set(value)) < len(value):
            self.fail(key, f"an entry is repeated: {value!r}")
        return tuple(value)

    def word(self, key: str, allowed: tuple[str, ...]) -> str:
        """Read one of several words."""
        value = self.text(key)
        if value not in allowed:
            self.fail(key, f"expected one of {', '.join(allowed)}, found {value!r}.{suggest(value, allowed)}")
        return value

    def table(self, key: str) -> "Table | None":
        """Open a table inside this one, or None when the entry is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self.fail(key, f"expected a table, found {value!r}")
        separator = "" if self._place.endswith(": ") else "."
        return Table(value, f"{self._place}{separator}{key}") if key in self._values else None

    def tables(self, key: str) -> Iterator[tuple[str, "Table"]]:
        """Open the tables of a section, such as ``[parameters.q_a]``, ``[parameters.c0]``."""
        section = self._take(key, {})
        separator = "" if self._place.endswith(": ") else "."
        if not isinstance(section, dict):
            self.fail(key, f"expected tables such as [{key}.name], found {section!r}")
        for name, values in section.items():
            place = f'{self._place}{separator}{key}["{name}"]'
            if not isinstance(values, dict):
                raise InvalidModel(f"{place}: expected a table, found {values!r}")
            yield name, Table(values, place)

    def entries(self, key: str) -> Iterator["Table"]:
        """Open the tables of a list, such as repeated ``[[rule]]``; none when it is missing."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(item, dict) for item in values):
            self.fail(key, f"expected tables that start with [[{key}]], found {values!r}")
        separator = "" if self._place.endswith(": ") else "."
        for place, item in enumerate(values, start=1):
            yield Table(item, f"{self._place}{separator}{key}[{place}]")

    def numbers(self, key: str) -> dict[str, float]:
        """Read a table of finite numbers under names of any kind; empty when it is missing."""
        inner = self.table(key)
        return {} if inner is None else {name: inner.number(name) for name in inner._values}

    def finish(self) -> None:
        """Refuse what nobody read."""
        for key in self._values:
            if key not in self._known:
                self.fail(key, f"unknown key; known: {', '.join(self._known)}.{suggest(key, self._known)}")

    def fail(self, key: str, message: str) -> NoReturn:
        """Raise an error that names this entry."""
        separator = "" if self._place.endswith(": ") else "."
        raise InvalidModel(f"{self._place}{separator}{key}: {message}")

    def _take(self, key: str, default: Any) -> Any:
        self._known.append(key)
        if key in self._values:
            return self._values[key]
        if default is None:
            self.fail(key, "is missing")
        return default
