"""Entity files, and finding the region a panel means by a code or a name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

import numpy as np

from pysd_runner.core.errors import InvalidPanel, Message, suggest
from pysd_runner.panel.column import Entity, by_label, label_key
from pysd_runner.panel.names import key
from pysd_runner.panel.observations import Keys
from pysd_runner.panel.problems import Problem, with_hint
from pysd_runner.panel.tables import IndexArray, TextArray, TextFile, read_table, texts_of

_FIELDS = ("code", "name_en", "name_zh", "class", "row", "column")
_ALIASES = {
    "group": "class",
    "region": "code",
    "tile_row": "row",
    "tile_column": "column",
    "col": "column",
    "name": "name_en",
}
_NOWHERE = -1
_NO_VALUE = frozenset({"nan", "none", "null", "n/a", "#n/a", "<na>"})


class RegionBook:
    """The regions of a region file, found by code or by either name."""

    def __init__(self, regions: Sequence[Entity]) -> None:
        self.regions = tuple(regions)
        self._known = by_label(regions)

    def find(self, text: str) -> Entity | None:
        """Return the region meant by a code or name, or None."""
        return self._known.get(label_key(text))

    def suggestion(self, text: str) -> str:
        """Return ``" Did you mean 'x'?"``, or an empty text when no label is near."""
        labels = [label for region in self.regions for label in (region.name_en, region.name_zh, region.code) if label]
        return suggest(text, labels)


def read_regions(path: Path) -> RegionBook:
    """Read a region file."""
    return regions_of(read_table(path), path)


def regions_of(table: TextFile, path: Path) -> RegionBook:
    """Regions of a region file, or of what stands for one; the path is what messages call it."""
    if table.problems:
        raise InvalidPanel("{where}: {said}", where=path, said=str(table.problems[0]))
    records = _records(table, path)
    regions = with_tiles([_region(record, path, row) for record, row in zip(records, table.rows.tolist(), strict=True)])
    _no_repeats([region.code for region in regions], table, path, "code")
    if "row" in records[0]:
        _no_repeats([f"{region.row},{region.column}" for region in regions], table, path, "tile")
    return RegionBook(regions)


def _records(table: TextFile, path: Path) -> list[dict[str, str]]:
    names = [_ALIASES.get(heading.casefold(), heading.casefold()) for heading in table.header]
    if "code" not in names:
        raise InvalidPanel(
            "{path}: no column 'code'; columns found: {columns}; expected {fields}",
            path=path,
            columns=list(table.header),
            fields=", ".join(_FIELDS),
        )
    rows = zip(*map(texts_of, table.columns), strict=True)
    return [dict(zip(names, map(str, row), strict=True)) for row in rows]


def _region(record: Mapping[str, str], path: Path, row: int) -> Entity:
    code = record["code"]
    if not code:
        raise InvalidPanel(
            "{path}: row {row}: the code is empty; expected a code of the panel's region column", path=path, row=row
        )
    name_en = record.get("name_en") or record.get("name_zh") or code
    return Entity(
        code=code,
        name_en=name_en,
        name_zh=record.get("name_zh") or name_en,
        group=record.get("class", ""),
        row=_tile(record, "row", path, row),
        column=_tile(record, "column", path, row),
    )


def _tile(record: Mapping[str, str], name: str, path: Path, row: int) -> int:
    text = record.get(name, "")
    if not text:
        return -1
    if not text.isdecimal():
        raise InvalidPanel(
            "{path}: row {row}, column {column!r}: found {what!r}; expected a whole number from zero up",
            path=path,
            row=row,
            column=name,
            what=text,
        )
    return int(text)


def _no_repeats(labels: Sequence[str], table: TextFile, path: Path, what: str) -> None:
    seen: dict[str, int] = {}
    for label, row in zip(labels, table.rows.tolist(), strict=True):
        if label in seen:
            raise InvalidPanel(
                "{path}: row {row}: {column} {label!r} already stands in row {other}; expected once",
                path=path,
                row=row,
                column=what,
                label=label,
                other=seen[label],
            )
        seen[label] = row


def with_tiles(regions: Iterable[Entity]) -> list[Entity]:
    """Place regions that have no tile on a near-square grid, below the tiles that are taken."""
    from dataclasses import replace

    placed = list(regions)
    homeless = [position for position, region in enumerate(placed) if region.row < 0 or region.column < 0]
    below = 1 + max((region.row for region in placed if region.row >= 0 and region.column >= 0), default=-1)
    width = max(1, ceil(sqrt(len(homeless))))
    for count, position in enumerate(homeless):
        placed[position] = replace(placed[position], row=below + count // width, column=count % width)
    return placed


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """The regions of a file, and the one each row is about."""

    regions: tuple[Entity, ...]  # in order of first appearance
    index: IndexArray  # position in `regions` for each row; -1 where the row names no known region


def places_of(keys: Keys, heading: str, book: RegionBook | None) -> tuple[Places, list[Problem]]:
    """Find the region of each row."""
    import pandas as pd

    codes, texts = pd.factorize(keys.regions)
    firsts = _first_positions(codes, len(texts))
    counts = np.bincount(codes, minlength=len(texts))
    problems = _empty(keys, heading)
    if book is None:
        found, spelling = _as_written(texts, keys, firsts, heading)
        problems += spelling
    else:
        found, unknown = _from_book(texts, keys, firsts, counts, heading, book)
        problems += unknown
    regions = list(dict.fromkeys(region for region in found if region is not None))
    position = {region.code: place for place, region in enumerate(regions)}
    of_text = np.array([_NOWHERE if region is None else position[region.code] for region in found], dtype=np.int64)
    index = of_text[codes] if len(texts) else np.empty(0, dtype=np.int64)
    if book is None:
        regions, labels = _labelled(regions, index, keys)
        problems += labels
    return Places(regions=tuple(with_tiles(regions)), index=index), problems


def _first_positions(codes: IndexArray, count: int) -> IndexArray:
    firsts = np.zeros(count, dtype=np.int64)
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    return firsts


def _empty(keys: Keys, heading: str) -> list[Problem]:
    return [
        Problem(
            rule="no-region",
            message=Message("the row does not say which region it is about"),
            row=int(keys.rows[position]),
            column=heading,
            expected=Message("a region code"),
        )
        for position in np.flatnonzero(keys.regions == "")
    ]


def _as_written(
    texts: TextArray, keys: Keys, firsts: IndexArray, heading: str
) -> tuple[list[Entity | None], list[Problem]]:
    spelled: dict[str, str] = {}
    problems = []
    found: list[Entity | None] = []
    for position, text in enumerate(texts):
        code = str(text)
        found.append(Entity(code=code, name_en=code, name_zh=code, row=-1, column=-1) if code else None)
        if code.casefold() in _NO_VALUE:
            problems.append(
                Problem(
                    rule="region-no-value",
                    message=Message("the region is called as programs write a missing value, and is read as a region"),
                    row=int(keys.rows[firsts[position]]),
                    column=heading,
                    found=code,
                    expected=Message("the name of a region; a region file that names it settles the doubt"),
                    severity="warning",
                )
            )
        other = spelled.setdefault(key(code), code)
        if other != code:
            problems.append(
                Problem(
                    rule="region-spelling",
                    message=Message(
                        "the region is read as another than {other!r}, which is spelt almost the same", other=other
                    ),
                    row=int(keys.rows[firsts[position]]),
                    column=heading,
                    found=code,
                    expected=other,
                    severity="warning",
                )
            )
    return found, problems


def _from_book(
    texts: TextArray, keys: Keys, firsts: IndexArray, counts: IndexArray, heading: str, book: RegionBook
) -> tuple[list[Entity | None], list[Problem]]:
    problems = []
    found: list[Entity | None] = []
    for position, text in enumerate(texts):
        region = book.find(str(text)) if text else None
        found.append(region)
        if region is None and text:
            also = Message(" (in {count} rows)", count=counts[position]) if counts[position] > 1 else ""
            problems.append(
                Problem(
                    rule="unknown-region",
                    message=Message(
                        "the region is not in the region file{also}{hint}",
                        also=also,
                        hint=with_hint(book.suggestion(str(text))),
                    ),
                    row=int(keys.rows[firsts[position]]),
                    column=heading,
                    found=str(text),
                    expected=Message("a code or name of the region file"),
                )
            )
    seen = {region.code for region in found if region is not None}
    absent = [region for region in book.regions if region.code not in seen]
    if absent:
        problems.append(
            Problem(
                rule="absent-region",
                message=Message("{count} regions of the region file are not in the panel", count=len(absent)),
                found=", ".join(f"{region.code} {region.name_en}" for region in absent[:5])
                + (", ..." if len(absent) > 5 else ""),
                severity="warning",
            )
        )
    return found, problems


def _labelled(regions: list[Entity], index: IndexArray, keys: Keys) -> tuple[list[Entity], list[Problem]]:
    """Names and groups from columns of the panel itself."""
    from dataclasses import replace

    names, clashing_names = _one_each(regions, index, keys.names, keys.rows, "name")
    groups, clashing_groups = _one_each(regions, index, keys.groups, keys.rows, "group")
    labelled = [
        replace(region, name_en=name or region.name_en, name_zh=name or region.name_zh, group=group)
        if name or group
        else region
        for region, name, group in zip(regions, names, groups, strict=True)
    ]
    return labelled, clashing_names + clashing_groups


def _one_each(
    regions: list[Entity], index: IndexArray, texts: TextArray, rows: IndexArray, what: str
) -> tuple[list[str], list[Problem]]:
    chosen = [""] * len(regions)
    problems = []
    seen: set[tuple[int, str]] = set()
    for position in np.flatnonzero((texts != "") & (index != _NOWHERE)):
        pair = (int(index[position]), str(texts[position]))
        if pair in seen:
            continue
        seen.add(pair)
        place, text = pair
        if chosen[place]:
            problems.append(
                Problem(
                    rule=f"two-{what}s",
                    message=Message(
                        "region {region!r} has another {what} in an earlier row", region=regions[place].code, what=what
                    ),
                    row=int(rows[position]),
                    found=text,
                    expected=chosen[place],
                )
            )
        chosen[place] = chosen[place] or text
    return chosen, problems
