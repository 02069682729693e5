"""Region files, and finding the region a panel means by a code or a name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, sqrt
from pathlib import Path

from pysd_runner.core.errors import InvalidPanel, suggest
from pysd_runner.panel.names import key
from pysd_runner.panel.panel import Region
from pysd_runner.panel.tables import Table, read_table

_FIELDS = ("code", "name_en", "name_zh", "class", "row", "column")
_ALIASES = {
    "group": "class",
    "region": "code",
    "tile_row": "row",
    "tile_column": "column",
    "col": "column",
    "name": "name_en",
}
# 广西壮族自治区 and 广西, 北京市 and 北京 are one region.
_CHINESE_RANK = re.compile(r"(?<=..)(?:壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区|省|市)$")


class RegionBook:
    """The regions of a region file, found by code or by either name."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = tuple(regions)
        self._known: dict[str, Region] = {}
        for region in regions:
            for label in (region.code, region.name_en, region.name_zh):
                self._known.setdefault(_place(label), region)

    def find(self, text: str) -> Region | None:
        """Return the region meant by a code or name, or None."""
        return self._known.get(_place(text))

    def suggestion(self, text: str) -> str:
        """Return ``" Did you mean 'x'?"``, or an empty text when no label is near."""
        labels = [label for region in self.regions for label in (region.name_en, region.name_zh, region.code) if label]
        return suggest(text, labels)


def _place(text: str) -> str:
    return _CHINESE_RANK.sub("", key(text))


def read_regions(path: Path) -> RegionBook:
    """Read a region file."""
    table = read_table(path)
    if table.problems:
        raise InvalidPanel(f"{path}: {table.problems[0]}")
    records = _records(table, path)
    regions = with_tiles([_region(record, path, row) for record, row in zip(records, table.numbers, strict=True)])
    _no_repeats([region.code for region in regions], table, path, "code")
    if "row" in records[0]:
        _no_repeats([f"{region.row},{region.column}" for region in regions], table, path, "tile")
    return RegionBook(regions)


def _records(table: Table, path: Path) -> list[dict[str, str]]:
    names = [_ALIASES.get(heading.casefold(), heading.casefold()) for heading in table.header]
    if "code" not in names:
        raise InvalidPanel(
            f"{path}: no column 'code'; columns found: {list(table.header)}; expected {', '.join(_FIELDS)}"
        )
    return [{name: cell.strip() for name, cell in zip(names, cells, strict=True)} for cells in table.cells]


def _region(record: Mapping[str, str], path: Path, row: int) -> Region:
    code = record["code"]
    if not code:
        raise InvalidPanel(f"{path}: row {row}: the code is empty; expected a code of the panel's region column")
    name_en = record.get("name_en") or record.get("name_zh") or code
    return Region(
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
        raise InvalidPanel(f"{path}: row {row}, column {name!r}: found {text!r}; expected a whole number from zero up")
    return int(text)


def _no_repeats(labels: Sequence[str], table: Table, path: Path, what: str) -> None:
    seen: dict[str, int] = {}
    for label, row in zip(labels, table.numbers, strict=True):
        if label in seen:
            raise InvalidPanel(
                f"{path}: row {row}: {what} {label!r} already stands in row {seen[label]}; expected once"
            )
        seen[label] = row


def with_tiles(regions: Iterable[Region]) -> list[Region]:
    """Place regions that have no tile on a near-square grid, below the tiles that are taken."""
    from dataclasses import replace

    placed = list(regions)
    homeless = [position for position, region in enumerate(placed) if region.row < 0 or region.column < 0]
    below = 1 + max((region.row for region in placed if region.row >= 0 and region.column >= 0), default=-1)
    width = max(1, ceil(sqrt(len(homeless))))
    for count, position in enumerate(homeless):
        placed[position] = replace(placed[position], row=below + count // width, column=count % width)
    return placed
