"""Regions as people write them: codes, English and Chinese names, groups, in any case."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Protocol

from pysd_runner.core.errors import UnknownName, suggest
from pysd_runner.panel.names import CHINESE_ENDING

MOST_LISTED = 8


class ScenarioRegion(Protocol):
    """What is needed of a region."""

    @property
    def code(self) -> str:
        """Unique code."""

    @property
    def name_en(self) -> str:
        """English name."""

    @property
    def name_zh(self) -> str:
        """Chinese name."""

    @property
    def group(self) -> str:
        """Class of regions it belongs to, or empty."""


def find_region(text: str, regions: Sequence[ScenarioRegion]) -> int:
    """Position of a region."""
    wanted = _plain(text)
    for names in zip(*((region.code, region.name_en, region.name_zh) for region in regions), strict=True):
        found = [position for position, name in enumerate(names) if name and _plain(name) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            codes = ", ".join(regions[position].code for position in found)
            raise UnknownName(f"{len(found)} regions are called {text!r}; write the code instead: {codes}.")
    every = [name for region in regions for name in (region.code, region.name_en, region.name_zh) if name]
    listed = [region.name_en or region.code for region in regions]
    raise UnknownName(f"no region is called {text!r}; regions: {_listing(listed)}.{suggest(text, every)}")


def find_group(text: str, regions: Sequence[ScenarioRegion]) -> tuple[int, ...]:
    """Positions of the regions of a group."""
    found = tuple(
        position for position, region in enumerate(regions) if region.group and _plain(region.group) == _plain(text)
    )
    if found:
        return found
    groups = list(dict.fromkeys(region.group for region in regions if region.group))
    known = f"groups: {_listing(groups)}" if groups else "the regions have no groups"
    raise UnknownName(f"no group of regions is called {text!r}; {known}.{suggest(text, groups)}")


def _plain(text: str) -> str:
    return CHINESE_ENDING.sub("", unicodedata.normalize("NFKC", text).strip().casefold())


def _listing(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - MOST_LISTED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:MOST_LISTED])} and {more} more"
