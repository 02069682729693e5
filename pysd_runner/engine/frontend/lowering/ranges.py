"""Subscript ranges of a model: their elements, aliases and mappings, and the positions that subscripts select."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, Message, suggest
from pysd_runner.engine.frontend.syntax import Budgets, MappedTo, Numbered, Range, labels_of
from pysd_runner.engine.ir import HIDDEN, Axis, Element, Index, key, tidy
from pysd_runner.engine.kinds import frozen


@frozen(kw_only=True)
class Way:
    """A mapping between two ranges, in one direction."""

    to: str  # the range it leads to
    name: str  # the range it starts from
    target: MappedTo  # the mapping in the file
    backwards: bool  # whether the file declares it in the opposite direction


def with_numbered_elements(ranges: Iterable[Range], budgets: Budgets) -> tuple[Range, ...]:
    """Expand the numbered elements of subscript ranges."""
    made = 0
    found = []
    for item in ranges:
        for part in item.elements:
            made += part.count if isinstance(part, Numbered) else 0
            budgets.check(
                "elements",
                made,
                Message("{where}: subscript range {name!r} asks for", where=item.place.at(0), name=item.name),
            )
        found.append(replace(item, elements=tuple(labels_of(item.elements))))
    return tuple(found)


class Ranges:
    """The subscript ranges of one model."""

    def __init__(self, found: Iterable[Range]) -> None:
        self.elements: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}
        self._targets: dict[str, list[MappedTo]] = {}
        self._copies: set[str] = set()
        self._parts: dict[tuple[str, tuple[int, ...]], str] = {}
        self._found: dict[str, dict[str, int]] = {}
        self._looked_up: dict[tuple[str, tuple[str, ...]], tuple[int, ...]] = {}
        listed: dict[str, list[str]] = {}
        for item in found:
            name = tidy(item.name)
            self._names[key(name)] = name
            self._targets[name] = list(item.targets)
            if item.copy_of is None:
                listed[name] = list(labels_of(item.elements))
            else:
                listed[name] = [item.copy_of]
                self._copies.add(name)
        for name, entries in listed.items():
            if name in self._copies:
                self._map_copy(name, entries[0])
        # Keys of elements as listed: a part of a range may list an element several times, to match a mapping to it.
        self._listed = {name: tuple(map(key, self._expanded(name, listed, (name,)))) for name in listed}
        for name in listed:
            self.elements[name] = tuple(dict.fromkeys(self._expanded(name, listed, (name,))))
        self._keys = {name: tuple(map(key, items)) for name, items in self.elements.items()}
        self._family = {name: self._main(name) for name in self.elements}

    def _map_copy(self, name: str, original: str) -> None:
        """Map a range and its alias to each other."""
        other = self._names.get(key(original), tidy(original))
        self._targets[name].append(MappedTo(other, None))
        self._targets.setdefault(other, []).append(MappedTo(name, None))

    def _expanded(self, name: str, listed: dict[str, list[str]], path: tuple[str, ...]) -> list[str]:
        """Elements of a range; an entry that names another range (an alias, or a part) stands for its elements."""
        elements = []
        for entry in listed[name]:
            inner = self._names.get(key(entry))
            if inner in path:
                raise InvalidModel("subscript ranges stand for each other: {names}", names=" -> ".join([*path, inner]))
            elements += [tidy(entry)] if inner is None else self._expanded(inner, listed, (*path, inner))
        return elements

    def _main(self, name: str) -> str:
        """The range in which the elements of a range are numbered: the largest that contains all of them."""
        # Of several largest ranges, it is the alphabetically first that is not an alias, as in PySD.
        mine = self._place(name).keys()
        wider = (other for other in self._keys if mine <= self._place(other).keys())
        return min(wider, key=lambda other: (-len(self._keys[other]), other in self._copies, key(other)))

    def name_of(self, label: str) -> str | None:
        """Name of a range as declared, or of a part of one; None if `label` is not a range."""
        return label if HIDDEN in label and label in self.elements else self._names.get(key(label))

    def counts(self, labels: Sequence[str]) -> tuple[int, ...]:
        """Number of elements selected by each subscript."""
        return tuple(1 if (name := self.name_of(label)) is None else len(self.elements[name]) for label in labels)

    def part(self, name: str, places: tuple[int, ...]) -> str:
        """Label of the part of a range with the elements at some positions."""
        items = self.elements[name]
        if places == tuple(range(len(items))):
            return name
        if (name, places) not in self._parts:
            label = f"{name}{HIDDEN}{len(self._parts) + 1}"
            self._parts[name, places] = self._added(label, tuple(items[place] for place in places), name)
        return self._parts[name, places]

    def _added(self, label: str, elements: tuple[str, ...], whole: str) -> str:
        """Add a range with some elements of another."""
        self.elements[label] = elements
        self._keys[label] = tuple(map(key, elements))
        self._family[label] = self._family.get(whole, label)
        return label

    def again(self, name: str, number: int) -> str:
        """Label of an axis over a range that is independent of other axes over the same range."""
        label = f"{name}{HIDDEN}again {number}"
        return label if label in self.elements else self._added(label, self.elements[name], name)

    def counted(self, label: str, count: int) -> str:
        """Add a range of `count` numbered elements, under a label that no file can use."""
        return self._added(label, tuple(str(number + 1) for number in range(count)), label)

    def holds(self, dimension: str, element: str) -> bool:
        """Whether a range has an element."""
        return key(element) in self._place(dimension)

    def numbers(self, items: Iterable[str], name: str) -> tuple[float, ...]:
        """Values of elements of a range used as numbers: their positions in the whole range, counted from one."""
        whole = self._place(self._family[name])
        return tuple(float(whole[item] + 1) for item in items)

    def number(self, element: str) -> float | None:
        """Value of an element used as a number; None if there is no such element."""
        holder = next((name for name, items in self._keys.items() if key(element) in items), None)
        return None if holder is None else self.numbers([key(element)], holder)[0]

    def keys(self, label: str) -> tuple[str, ...]:
        """Comparison keys of the elements of a range."""
        return self._keys[label]

    def dimensions(self, given: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """Dimensions of a variable, inferred from the subscripts of its equations."""
        columns = [list(dict.fromkeys(labels)) for labels in zip(*given, strict=True)]
        named = [[name for label in labels if (name := self.name_of(label)) is not None] for labels in columns]
        chosen: list[str] = []
        for place, labels in enumerate(columns):
            others = {name for number, names in enumerate(named) if number != place for name in names} | set(chosen)
            chosen.append(self._dimension(labels, named[place], others))
        return tuple(chosen)

    def _dimension(self, labels: Sequence[str], named: Sequence[str], others: set[str]) -> str:
        needed = {item for label in labels for item in self._items(label)}
        for name in named:
            if self._place(name).keys() == needed:
                return name
        declared = [name for name in self._keys if HIDDEN not in name]
        fitting = [name for name in declared if needed <= self._place(name).keys()]
        if not fitting:
            unknown = next((label for label in labels if self.name_of(label) is None), labels[0])
            names, near = ", ".join(sorted(labels)), self._suggestion(unknown)
            raise InvalidModel("no subscript range holds {names}.{near}", names=names, near=near)
        free = [name for name in fitting if name not in others]
        smallest = min(free or fitting, key=lambda name: len(self.elements[name]))
        return smallest if free else self._copy(smallest)

    def _copy(self, name: str) -> str:
        """A new range with the elements of another."""
        number = next(n for n in itertools.count(1) if key(f"{name}{n}") not in self._names)
        label = f"{name}{number}"
        self._names[key(label)] = label
        self._copies.add(label)
        return self._added(label, self.elements[name], name)

    def _items(self, label: str) -> tuple[str, ...]:
        name = self.name_of(label)
        return self._keys[name] if name is not None else (key(label),)

    def _suggestion(self, label: str) -> str:
        names = [name for name in self.elements if HIDDEN not in name]
        return suggest(label, [*names, *(item for name in names for item in self.elements[name])])

    def places(self, label: str, dimension: str) -> tuple[int, ...]:
        """Positions of a range or element in a dimension."""
        bare = label.removesuffix("!").strip()
        name = self.name_of(bare)
        if name is None and key(bare) not in self._place(dimension):
            near = self._suggestion(bare)
            raise InvalidModel(
                "{name!r} is not in subscript range {range!r}.{near}", name=bare, range=dimension, near=near
            )
        return self.places_of((key(bare),) if name is None else self._keys[name], dimension, bare)

    def _place(self, dimension: str) -> dict[str, int]:
        """Position of every element of a range."""
        if dimension not in self._found:
            self._found[dimension] = {item: position for position, item in enumerate(self._keys[dimension])}
        return self._found[dimension]

    def places_of(self, items: tuple[str, ...], dimension: str, label: str) -> tuple[int, ...]:
        """Positions of elements in a dimension; `label` names them in the error message if one is missing."""
        asked = (dimension, items)
        if asked not in self._looked_up:
            places = self._place(dimension)
            missing = next((item for item in items if item not in places), None)
            if missing is not None:
                raise InvalidModel(
                    "range {label!r} is not part of {dimension!r} ({missing!r} is not in it)",
                    label=label,
                    dimension=dimension,
                    missing=missing,
                )
            self._looked_up[asked] = tuple(places[item] for item in items)
        return self._looked_up[asked]

    def positions(self, labels: Sequence[str], dims: Sequence[str]) -> list[tuple[int, ...]]:
        """Positions of all cells that subscripts select, in C order."""
        return list(itertools.product(*(self.places(label, dim) for label, dim in zip(labels, dims, strict=True))))

    def pick(self, label: str, dimension: str) -> Index:
        """Index that a subscript selects from a dimension."""
        positions = self.places(label, dimension)
        name = self.name_of(label.removesuffix("!").strip())
        if name is None:
            return Element(positions[0])
        return self.axis(f"{name}!" if label.rstrip().endswith("!") else name, dimension, positions)

    def axis(self, label: str, dimension: str, positions: tuple[int, ...]) -> Axis:
        """An axis over some positions of a dimension."""
        whole = self.places_of(self._keys[dimension], dimension, dimension)
        return Axis(label, None if positions == whole else positions)

    def ways(self, name: str) -> Iterator[Way]:
        """Mappings from a range to others, then those from others to it."""
        for target in self._targets.get(name, ()):
            yield Way(to=self._target(name, target), name=name, target=target, backwards=False)
        for other, targets in self._targets.items():
            for target in targets:
                if self.name_of(target.name) == name:
                    yield Way(to=other, name=name, target=target, backwards=True)

    def _target(self, name: str, target: MappedTo) -> str:
        to = self.name_of(target.name)
        if to is None:
            raise InvalidModel(
                "range {name!r} is mapped to {other_name!r}.{suggestion}",
                name=name,
                other_name=target.name,
                suggestion=self._suggestion(target.name),
            )
        return to

    def along(self, way: Way, items: Sequence[str]) -> tuple[str, ...]:
        """Elements of the range a mapping starts from that correspond to `items` of the range it leads to."""
        first, last = (way.to, way.name) if way.backwards else (way.name, way.to)
        pairs = self._pairs(first, last, way.target)
        if way.backwards:
            found = {own: others[0] for own, others in pairs if len(others) == 1}
        else:
            found = {other: own for own, others in pairs for other in others}
            if way.target.listed is None:
                counts = Counter(other for _, others in pairs for other in others)
                found = {other: own for other, own in found.items() if counts[other] == 1}
        missing = [item for item in items if item not in found]
        if missing:
            raise InvalidModel(
                "the mapping of {first!r} to {last!r} does not say what {missing!r} stands for",
                first=first,
                last=last,
                missing=missing[0],
            )
        return tuple(found[item] for item in items)

    def _pairs(self, name: str, to: str, target: MappedTo) -> list[tuple[str, tuple[str, ...]]]:
        """Elements of a range, each with the elements of another range that it is mapped to."""
        own = self._listed.get(name, self._keys[name])
        listed = (
            [(item,) for item in self._listed.get(to, self._keys[to])]
            if target.listed is None
            else [*map(self._items, target.listed)]
        )
        if len(listed) != len(own):
            raise InvalidModel(
                "range {name!r} has {count} elements, its mapping to {target!r} has {other_count}; they "
                "are mapped one by one",
                name=name,
                count=len(own),
                target=to,
                other_count=len(listed),
            )
        return list(zip(own, listed, strict=True))
