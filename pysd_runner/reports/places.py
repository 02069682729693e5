"""What a brief is about: a region, a class of regions or all of them, found by any of its names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pysd_runner.core.errors import Message, UnknownName, suggest
from pysd_runner.panel import Region
from pysd_runner.panel.names import key
from pysd_runner.panel.regions import RegionBook
from pysd_runner.text import LANGUAGES, has_text, say

# Most names told of a panel.
_TOLD = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A region, a class of regions or the nation."""

    kind: Literal["region", "class", "nation"]
    code: str  # of the region, or the class; empty for the nation
    names: dict[str, str]  # by language

    @property
    def file_name(self) -> str:
        """Name for files: letters and digits of the English name, or of the code."""
        for text in (self.names["en"], self.code) if self.kind != "nation" else ():
            plain = "-".join("".join(sign if sign.isalnum() else " " for sign in text).split()).lower()
            if plain:
                return plain
        return self.kind


def find_place(text: str, regions: Sequence[Region]) -> Place:
    """Find a region by code or name in either language, a class by its name, or the nation."""
    region = RegionBook(regions).find(text)
    if region is not None:
        return _region(region)
    groups = {item.group: _names("class", item.group) for item in regions if item.group}
    others = [Place(kind="class", code=group, names=names) for group, names in groups.items()]
    others.append(Place(kind="nation", code="", names=_names("brief", "nation")))
    spellings = {key(name): place for place in others for name in (place.code, *place.names.values()) if name}
    spellings |= {key(say("brief.nation_names", lang)): others[-1] for lang in LANGUAGES}
    if key(text) in spellings:
        return spellings[key(text)]
    known = [name for item in regions for name in (item.name_en, item.name_zh, item.code) if name]
    known += [name for place in others for name in (place.code, *place.names.values()) if name]
    known += [say("brief.nation_names", lang) for lang in LANGUAGES]
    # In the script that was asked in.
    own = "name_en" if text.isascii() else "name_zh"
    shown = ", ".join(getattr(item, own) or item.code for item in regions[:_TOLD])
    more = Message(", ...") if len(regions) > _TOLD else ""
    classes = Message(", the classes {classes}", classes=", ".join(groups)) if groups else ""
    raise UnknownName(
        "the panel has no region {region!r}: it has {shown}{more}{classes} and 'nation'.{suggestion}",
        region=text,
        shown=shown,
        more=more,
        classes=classes,
        suggestion=suggest(text, known),
    )


def _region(region: Region) -> Place:
    names = {"en": region.name_en or region.code, "zh": region.name_zh or region.name_en or region.code}
    return Place(kind="region", code=region.code, names=names)


def _names(room: str, name: str) -> dict[str, str]:
    text = f"{room}.{name}"
    return {lang: say(text, lang) if has_text(text) else name for lang in LANGUAGES}
