"""Subscript ranges of a model: their elements, aliases, and how a reference picks from a dimension."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from pysd_runner.engine.ir import Axis, Element, Index
from pysd_runner.engine.names import key, tidy
from pysd_runner.errors import InvalidModel, UnsupportedFeature, suggest


class Ranges:
    """The subscript ranges of one model section.

    Parameters
    ----------
    found
        PySD's abstract subscript ranges.

    Raises
    ------
    UnsupportedFeature
        If a range is read from a spreadsheet.
    InvalidModel
        If ranges stand for each other in a circle.
    """

    def __init__(self, found: Iterable[Any]) -> None:
        self.elements: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}
        listed: dict[str, list[str]] = {}
        self.mapped = False
        for item in found:
            name = tidy(item.name)
            self.mapped = self.mapped or bool(item.mapping)
            self._names[key(name)] = name
            if isinstance(item.subscripts, dict):
                raise UnsupportedFeature(f"subscript range {name!r} is read from a spreadsheet")
            listed[name] = [item.subscripts] if isinstance(item.subscripts, str) else list(item.subscripts)
        for name in listed:
            self.elements[name] = tuple(dict.fromkeys(self._expanded(name, listed, (name,))))
        self._keys = {name: tuple(key(item) for item in items) for name, items in self.elements.items()}

    def _expanded(self, name: str, listed: dict[str, list[str]], path: tuple[str, ...]) -> list[str]:
        """Elements of a range; an entry that names another range (an alias, or a part) stands for its elements."""
        elements = []
        for entry in listed[name]:
            inner = self._names.get(key(entry))
            if inner in path:
                raise InvalidModel(f"subscript ranges stand for each other: {' -> '.join([*path, inner])}")
            elements += [tidy(entry)] if inner is None else self._expanded(inner, listed, (*path, inner))
        return elements

    def name_of(self, label: str) -> str | None:
        """Declared name of a range, or None if `label` is not a range."""
        return self._names.get(key(label))

    def counts(self, labels: Sequence[str]) -> tuple[int, ...]:
        """Number of elements each of some subscripts stands for."""
        return tuple(1 if (name := self.name_of(label)) is None else len(self.elements[name]) for label in labels)

    def dimension(self, labels: Sequence[str]) -> str:
        """Range a dimension runs over, given what the equations of the variable put in its place.

        Parameters
        ----------
        labels
            Range or element names, one per equation.

        Returns
        -------
        str
            The range itself when all equations name it, otherwise the smallest range that holds every element.

        Raises
        ------
        InvalidModel
            If no range holds them all.
        """
        named = {self.name_of(label) for label in labels}
        if len(named) == 1 and (only := named.pop()) is not None:
            return only
        needed = {item for label in labels for item in self._items(label)}
        fitting = [name for name, items in self._keys.items() if needed <= set(items)]
        if not fitting:
            unknown = next(label for label in labels if self.name_of(label) is None)
            raise InvalidModel(f"no subscript range holds {', '.join(sorted(set(labels)))};{self._suggestion(unknown)}")
        return min(fitting, key=lambda name: len(self.elements[name]))

    def _items(self, label: str) -> tuple[str, ...]:
        name = self.name_of(label)
        return self._keys[name] if name is not None else (key(label),)

    def _suggestion(self, label: str) -> str:
        return suggest(label, [*self.elements, *(item for items in self.elements.values() for item in items)])

    def positions(self, labels: Sequence[str], dims: Sequence[str]) -> list[tuple[int, ...]]:
        """Places in some dimensions that subscripts stand for, in C order."""
        places = []
        for item, dim in zip((self.pick(*pair) for pair in zip(labels, dims, strict=True)), dims, strict=True):
            everywhere = range(len(self.elements[dim]))
            places.append((item.positions or everywhere) if isinstance(item, Axis) else (item.position,))
        return list(itertools.product(*places))

    def pick(self, label: str, dimension: str) -> Index:
        """What a subscript selects from a dimension.

        Parameters
        ----------
        label
            A range, a range with ``!``, or an element.
        dimension
            The range the dimension runs over.

        Returns
        -------
        Index
            One element, or an axis that runs over all or some of the dimension.

        Raises
        ------
        InvalidModel
            If the dimension does not hold what is asked for.
        """
        bare = label.removesuffix("!").strip()
        places = {item: position for position, item in enumerate(self._keys[dimension])}
        name = self.name_of(bare)
        if name is None:
            if key(bare) not in places:
                raise InvalidModel(f"{bare!r} is not in subscript range {dimension!r}.{self._suggestion(bare)}")
            return Element(places[key(bare)])
        items = self._keys[name]
        missing = [item for item in items if item not in places]
        if missing and self.mapped:
            raise UnsupportedFeature(f"subscript mapping of {name!r} to {dimension!r}")
        if missing:
            raise InvalidModel(f"range {name!r} is not part of {dimension!r} ({missing[0]!r} is not in it)")
        positions = tuple(places[item] for item in items)
        axis = f"{name}!" if label.rstrip().endswith("!") else name
        return Axis(axis, None if positions == tuple(range(len(places))) else positions)
