"""Write small data sets of Vensim byte by byte, as far as the reader looks at them."""

import struct

MISSING = -1.298074214633707e33
SECTION = b"\xa1\x37\x4c\xbf"
OWNER = 0xF6800000


def written(times, series, elements=(), *, wide=False):
    """Bytes of a data set: values by name, of each element where there are some; None is missing."""
    pointer, value, length = ("<Q", "<d", "<I") if wide else ("<I", "<f", "<H")
    start, first, size = (0x144, 324, 88) if wide else (0xA8, 204, 64)
    places = (0, 2, 6, 8, 12, 19) if wide else (0, 2, 6, 8, 11, 15)
    names, text, step = {}, b"", struct.calcsize(length)
    for name in (".set", *series, *elements):
        raw = name.encode()
        raw += b"\0" * (1 + -(len(raw) + 1 + step) % 4)
        text += struct.pack(length, len(raw)) if text else b""
        names[name] = 7 + len(text) // 4
        text += raw
    first_length = len(text) if len(names) == 1 else text.index(b"\0") + 1
    first_length += -(first_length + step) % 4
    records, blocks = [(0, names[".set"], 5, 0, 0, 0)], [[*times]]
    for name, values in series.items():
        rows = values if elements else [values]
        records.append((0, names[name], 7 if elements else 5, OWNER, len(blocks), 0))
        blocks += rows
    records += [(0, names[name], 5, 0, place, 9) for place, name in enumerate(elements)]
    rows = b""
    for record in records:
        words = [0] * (size // 4)
        for place, word in zip(places, record, strict=True):
            words[place] = word
        rows += struct.pack(f"<{len(words)}I", *words)
    shape = [0] * 60
    shape[1] = shape[2] = len(elements)
    shape[34 if wide else 18], shape[42 if wide else 26] = 9, 1
    data = bytearray(b"\x7f\xf7\x17\x41" + bytes(start - 4))
    data += SECTION + struct.pack("<5I", 1 + (24 + first + len(rows)) // 4, 0, 0, 0, 0) + bytes(first) + rows
    data += SECTION + struct.pack("<5I", 0, 0, 0, 0, first_length if wide else first_length << 16) + text
    data += bytes(-len(data) % 4) + SECTION + bytes(20) + struct.pack("<60I", *shape)
    data += (SECTION + bytes(20)) * 2
    table = len(data)
    at = table + struct.calcsize(pointer) * len(blocks)
    entries, body = b"", b""
    for block in blocks:
        entries += struct.pack(pointer, at + len(body))
        known = [number for number in block if number is not None]
        bits = sum(1 << place for place, number in enumerate(block) if number is not None)
        body += struct.pack("<H", len(known)) + bits.to_bytes(-(-len(times) // 8), "little")
        body += b"".join(struct.pack(value, number) for number in known)
    struct.pack_into(pointer, data, 0x64 if wide else 0x60, table)
    struct.pack_into("<I", data, 0xA0 if wide else 0x7C, len(times))
    return bytes(data) + entries + body


def example(*, wide=False):
    """A data set with a scalar, an array and missing points."""
    times = [0, 1, 2.5, 10]
    series = {"New cases": [[1, 2, None, 4], [5, None, MISSING, 8]], "deaths": [[0, 0, 1, 2], [3, 4, 5, 6]]}
    return written(times, series, ("North", "South East"), wide=wide)
