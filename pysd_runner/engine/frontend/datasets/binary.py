"""Data sets of Vensim, ``.vdf`` and ``.vdfx``; their layout was found by comparing files with the same data as text."""

import math
import struct
from collections.abc import Iterator
from itertools import product

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.datasets.series import Gathered, Label, Series
from pysd_runner.engine.kinds import Array, frozen

# Every file of Vensim begins with these bytes, and then one for its kind.
_MAGIC = b"\x7f\xf7\x17"
_DATA_SET = 0x41
_OTHERS = {
    0x52: Message("a run of Vensim; export it as .tab"),
    0x53: Message("a sensitivity run of Vensim; export it as .tab"),
    0x50: Message("a run of Vensim's parallel engine; export it as .tab"),
}

_SECTION = b"\xa1\x37\x4c\xbf"
# Group of the records of series, shape of one without subscripts, and the value below which all are missing.
_OWNER, _SCALAR, _LEAST = 0xF6800000, 5, -1e32
_MOST_AXES = 8


@frozen
class _Layout:
    """What differs between the two files: offsets in bytes, except where words of four bytes are counted."""

    table: int  # in the head of the file, where the table of blocks is
    counts: tuple[int, int]  # in the head of the file, the number of times, or where it is if the first is 0
    pointer: str  # format of an entry of the table of blocks
    value: str  # type of a value
    length: str  # format of the length of a name
    shift: int  # bits below the length of the first name
    record: int  # length of a record
    first: int  # distance from the head of the section to the first record
    fields: tuple[int, ...]  # words of a record: flags, name, shape, group, block, dimension
    axes: tuple[int, int, int]  # words of a shape: distance of sizes, first reference, number of axes


# By where the first section begins.
_LAYOUTS = {
    0xA8: _Layout(0x60, (0x7C, 0x74), "<I", "<f4", "<H", 16, 64, 204, (0, 2, 6, 8, 11, 15), (1, 18, 26)),
    0x144: _Layout(0x64, (0xA0, 0x94), "<Q", "<f8", "<I", 0, 88, 324, (0, 2, 6, 8, 12, 19), (2, 34, 42)),
}


def read_binary(data: bytes) -> dict[Label, Series]:
    """Read a data set of Vensim.

    Raises
    ------
    InvalidModel
        If the bytes are no data set, or contradict each other; the message says where.
    """
    if data[:3] != _MAGIC or data[3:4] == b"":
        raise InvalidModel("no file of Vensim, which begins with other bytes")
    if data[3] != _DATA_SET:
        raise InvalidModel(
            "{what}", what=_OTHERS.get(data[3], Message("a file of Vensim of an unknown kind; export it as .tab"))
        )
    return _File(data).series()


class _File:
    """The bytes of a data set, read with checks that nothing lies beyond their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        starts = [data.find(_SECTION, 0x80)]
        while starts[-1] >= 0 and len(starts) < 5:
            starts.append(data.find(_SECTION, starts[-1] + 4))
        if starts[-1] < 0 or starts[0] not in _LAYOUTS:
            raise InvalidModel("no data set of Vensim: its five sections are not where they have to be")
        self._layout = _LAYOUTS[starts[0]]
        self._records_at, self._names_at, self._shapes_at = starts[:3]
        first, second = self._layout.counts
        self._count = self._word(first) or self._word(second)
        self._width = -(-self._count // 8)
        if not 0 < self._count <= 8 * len(data):
            raise self._fault(first, Message("{count} times", count=self._count))
        self._table = self._number(self._layout.pointer, self._layout.table)
        # Blocks do not overlap, so all of them together are no longer than the file.
        self._left = len(data)

    def _fault(self, at: int, said: str) -> InvalidModel:
        return InvalidModel(
            "byte {at}: {said}; the file is damaged, import it again or save it as .tab", at=at, said=said
        )

    def _number(self, code: str, at: int) -> int:
        if at + struct.calcsize(code) > len(self._data):
            raise self._fault(at, Message("a place beyond the end of the file"))
        return int(struct.unpack_from(code, self._data, at)[0])

    def _word(self, at: int) -> int:
        return self._number("<I", at)

    def series(self) -> dict[Label, Series]:
        names, records = self._names(), list(self._records())
        times = self._block(0)
        if times is None or np.isnan(times).any() or (np.diff(times) <= 0).any():
            raise self._fault(self._table, Message("times that do not ascend"))
        elements: dict[int, dict[int, str]] = {}
        for _, named, _, _, place, dimension in records:
            if dimension:
                elements.setdefault(dimension, {})[place] = names.get(named, "")
        found = Gathered()
        for flags, named, shape, group, block, _ in records:
            name = names.get(named, "")
            # The first record is the file itself, whose name begins with a dot.
            if group == _OWNER and flags == 0 and block and name and not name.startswith("."):
                for place, labels in enumerate(self._labels(name, shape, elements), block):
                    values = self._block(place)
                    if values is not None:
                        found.add(name, labels, times, values)
        return found.series()

    def _names(self) -> dict[int, str]:
        """Names by the numbers with which records refer to them."""
        begin, step = self._names_at + 24, struct.calcsize(self._layout.length)
        size = self._word(begin - 4) >> self._layout.shift
        places = {7: (begin, size)}
        at = begin + size
        while at + step <= self._shapes_at:
            size = self._number(self._layout.length, at)
            at += step
            if size and (at - begin) % 4 == 0:
                places[(at - begin) // 4 + 7] = (at, size)
            at += size
        return {number: self._text(*place) for number, place in places.items()}

    def _text(self, at: int, size: int) -> str:
        raw = self._data[at : min(at + size, self._shapes_at)].partition(b"\0")[0]
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp1252", "replace")

    def _records(self) -> Iterator[tuple[int, ...]]:
        size = self._layout.record
        end = min(self._records_at + 4 * (self._word(self._records_at + 4) - 1), self._names_at)
        for at in range(self._records_at + 24 + self._layout.first, end - size + 1, size):
            words = struct.unpack_from(f"<{size // 4}I", self._data, at)
            yield tuple(words[place] for place in self._layout.fields)

    def _labels(self, name: str, shape: int, elements: dict[int, dict[int, str]]) -> Iterator[tuple[str, ...]]:
        """Elements of each series of a variable, in the order of its blocks."""
        if shape == _SCALAR:
            return iter([()])
        at = self._shapes_at + 4 * (shape - 1)
        step, references, axes_at = self._layout.axes
        axes, flat = self._word(at + 4 * axes_at), self._word(at + 4)
        if not 1 <= axes <= _MOST_AXES:
            raise self._fault(at, Message("{name!r} has {count} subscripts", name=name, count=axes))
        sizes = [flat] if axes == 1 else [self._word(at + 4 * (2 + place * step)) for place in range(axes)]
        # Each series has an entry in the table of blocks.
        if math.prod(sizes) != flat or flat > self._left:
            raise self._fault(at, Message("{name!r} has {count} series", name=name, count=flat))
        self._left -= flat
        ranges = [elements.get(self._word(at + 4 * (references + place)), {}) for place in range(axes)]
        if any(not all(known.get(number) for number in range(size)) for known, size in zip(ranges, sizes, strict=True)):
            raise self._fault(at, Message("{name!r} has an element without a name", name=name))
        return product(*([known[number] for number in range(size)] for known, size in zip(ranges, sizes, strict=True)))

    def _block(self, number: int) -> Array | None:
        """Values of a series at all times, NaN where it has none; None if it has no block."""
        entry = self._table + struct.calcsize(self._layout.pointer) * number
        at, head = self._number(self._layout.pointer, entry), 2 + self._width
        if at == 0 or at + head > len(self._data):
            return None
        size, kind = self._number("<H", at), np.dtype(self._layout.value)
        bits = np.frombuffer(self._data, np.uint8, self._width, at + 2)
        known = np.unpackbits(bits, bitorder="little")[: self._count].astype(bool)
        length = head + kind.itemsize * size
        self._left -= length
        if known.sum() != size or at + length > len(self._data) or self._left < 0:
            raise self._fault(at, Message("{size} values at {count} times", size=size, count=int(known.sum())))
        values = np.full(self._count, np.nan)
        # A damaged number may be a signalling NaN.
        with np.errstate(invalid="ignore"):
            values[known] = np.frombuffer(self._data, kind, size, at + head)
        return np.where(np.isfinite(values) & (values > _LEAST), values, np.nan)
