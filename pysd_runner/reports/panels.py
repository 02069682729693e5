"""Descriptions of a panel and of problems in it, look-up of its regions and classes by name, and its folder."""

import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import floor, log10
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pysd_runner.core.errors import Message, UnknownName, joined
from pysd_runner.core.findings import Finding
from pysd_runner.core.numbers import written
from pysd_runner.core.types import Record, Texts, frozen
from pysd_runner.data import Data, Entity
from pysd_runner.data.checks import MAX_LISTED
from pysd_runner.data.mapping import DECLARATIONS, declarations_beside
from pysd_runner.data.names import key
from pysd_runner.data.reading import SIDECAR
from pysd_runner.data.regions import RegionBook
from pysd_runner.data.sources import PANEL_FILE
from pysd_runner.data.update import Update, factor_of, long_table, observed_in, spans
from pysd_runner.export import save_csv, write_text_whole
from pysd_runner.reports.document import aligned
from pysd_runner.text import LANGUAGES, has_text, translate, translated

REGIONS, REVISIONS = "regions.csv", "revisions.csv"
# Maximum number of region names in an error message.
_MAX_NAMES = 6


@frozen
class Area:
    """A region, a class of regions or the nation."""

    kind: Literal["region", "class", "nation", "model"]
    code: str  # code of the region, or name of the class; empty for the nation, and for a model without regions
    names: Texts  # names by language

    @property
    def file_name(self) -> str:
        """Name for files: letters and digits of the English name, or of the code."""
        for text in (self.names["en"], self.code) if self.kind != "nation" else ():
            plain = "-".join("".join(sign if sign.isalnum() else " " for sign in text).split()).lower()
            if plain:
                return plain
        return self.kind


def find_place(text: str, regions: Sequence[Entity], lang: str = "") -> Area:
    """Find a region by code or name in either language, a class by its name, or the nation.

    An error shows names in a language, by default that of the request.
    """
    region = RegionBook(regions).find(text)
    if region is not None:
        names = {"en": region.name_en or region.code, "zh": region.name_zh or region.name_en or region.code}
        return Area(kind="region", code=region.code, names=names)
    groups = {item.group: _names("class", item.group) for item in regions if item.group}
    others = [Area(kind="class", code=group, names=names) for group, names in groups.items()]
    others.append(Area(kind="nation", code="", names=_names("brief", "nation")))
    spellings = {name: place for place in others for name in (place.code, *place.names.values()) if name}
    spellings |= {translate("brief.nation_names", lang): others[-1] for lang in LANGUAGES}
    found = {key(name): place for name, place in spellings.items()}.get(key(text))
    if found is not None:
        return found
    known = [name for item in regions for name in (item.name_en, item.name_zh, item.code) if name]
    known += spellings
    lang = lang or LANGUAGES[not text.isascii()]
    comma = translate("list.separator", lang)
    shown = comma.join(getattr(item, f"name_{lang}") or item.code for item in regions[:_MAX_NAMES])
    more = Message(", ...") if len(regions) > _MAX_NAMES else ""
    named = comma.join(names[lang] for names in groups.values())
    classes = Message(", the classes {classes}", classes=named) if groups else ""
    raise UnknownName(
        "the panel has no region {region!r}: it has {shown}{more}{classes} and 'nation'.{suggestion}",
        shown=shown,
        more=more,
        classes=classes,
        region=text,
        among=known,
    )


def _names(room: str, name: str) -> Texts:
    text = f"{room}.{name}"
    return {lang: translate(text, lang) if has_text(text) else name for lang in LANGUAGES}


def panel_facts(panel: Data) -> Record:
    """Contents of a panel, as plain data."""
    return {
        "name": panel.name,
        "regions": [{"code": item.code, "name_en": item.name_en, "name_zh": item.name_zh} for item in panel.regions],
        "years": [panel.years[0], panel.years[-1]],
        "currency": panel.currency,
        "price_basis": panel.price_basis,
        "variables": {name: _variable_facts(panel, name) for name in panel.variables},
        "national": {name: [min(series), max(series)] for name, series in panel.national.items() if series},
        "sha256": panel.sha256,
    }


def panel_lines(panel: Data, *, lang: str = "en") -> list[str]:
    """Contents of a panel, as text lines."""
    facts = panel_facts(panel)
    basis = f", {translated(Message(panel.price_basis), lang)}" if panel.price_basis else ""
    rows = [(name, *_variable_words(variable, lang)) for name, variable in facts["variables"].items()]
    national = translate("panel_line.national", lang)
    rows += [(name, f"{first}-{last}", national) for name, (first, last) in facts["national"].items()]
    width = max(len(name) for name, *_ in rows)
    opening = translate("panel_line.panel", lang, count=len(panel.regions), first=panel.years[0], last=panel.years[-1])
    return [f"{opening}{basis}"] + [f"  {name:<{width}}  {years:<9}  {words}" for name, years, words in rows]


def verdict(file: str, errors: int, warnings: int, lang: str) -> str:
    """Line with the number of problems in a file."""
    counts = [
        translate(f"panel_line.{noun}_count{'_one' if number == 1 else ''}", lang, count=number)
        for noun, number in (("error", errors), ("warning", warnings))
        if number
    ]
    colon, comma = translate("description.colon", lang), translate("report.list", lang)
    return f"{file}{colon}{comma.join(counts) or translate('panel_line.none', lang)}"


def problem_line(problem: Finding, lang: str) -> str:
    """A problem in one line: severity, location, message, found and expected values."""
    return translate(f"panel_line.{problem.severity}", lang, said=_described(problem, lang))


def first_problem(source: str, problems: Sequence[Finding], lang: str) -> str:
    """The first problem of a panel in one line, and the number of further ones."""
    text = f"{source}: {_described(problems[0], lang)}"
    return translate("panel_line.more", lang, said=text, count=len(problems) - 1) if len(problems) > 1 else text


def refusal(source: str, problems: Sequence[Finding], lang: str) -> str:
    """Message on a rejected panel: the number of problems, and the first few."""
    lines = [verdict(source, len(problems), 0, lang), *(problem_line(item, lang) for item in problems[:MAX_LISTED])]
    if len(problems) > MAX_LISTED:
        lines.append(translate("panel_line.rest", lang, count=len(problems) - MAX_LISTED))
    return "\n  ".join(lines)


def _described(problem: Finding, lang: str) -> str:
    place = [translate("panel_line.row", lang, row=problem.row)] if problem.row is not None else []
    place += [translate("panel_line.column", lang, column=repr(problem.column))] if problem.column else []
    told = translated(problem.message, lang).rstrip(".")
    parts = [
        translate("panel_line.at", lang, place=translate("list.separator", lang).join(place), said=told)
        if place
        else told
    ]
    if problem.found:
        found = translated(problem.found, lang)
        parts.append(translate("panel_line.found", lang, found=repr(found) if found == problem.found else found))
    if problem.expected:
        parts.append(translate("panel_line.expected", lang, expected=translated(problem.expected, lang)))
    return translate("report.clauses", lang).join(parts).replace("\n", " ")


def _variable_facts(panel: Data, name: str) -> Record:
    years = panel.years_with(name)
    first, last = (panel.years.index(years[0]), panel.years.index(years[-1])) if years else (0, -1)
    return {
        "unit": panel.units[name],
        "years": [years[0], years[-1]] if years else [],
        "missing": int(np.isnan(panel.array(name)[:, first : last + 1]).sum()),
        "without_last_year": [
            region.code
            for region, value in zip(panel.regions, panel.array(name)[:, last], strict=True)
            if years and np.isnan(value)
        ],
        "derived": bool(np.any(panel.marks.get(name, "") == "derived")),
    }


def _variable_words(facts: dict[str, Any], lang: str) -> tuple[str, str]:
    years = "{}-{}".format(*facts["years"]) if facts["years"] else translate("panel_line.empty", lang)
    notes = [facts["unit"]]
    notes += [translate("panel_line.missing", lang, count=facts["missing"])] if facts["missing"] else []
    if late := facts["without_last_year"]:
        more = len(late) - MAX_LISTED
        named = {"year": facts["years"][-1], "regions": ", ".join(late[:MAX_LISTED])}
        key = "panel_line.late_more" if more > 0 else "panel_line.late"
        notes.append(translate(key, lang, **named, count=more))
    notes += [translate("panel_line.derived", lang)] if facts["derived"] else []
    return years, ", ".join(notes)


def save_update(found: Update, folder: Path, before: Path, record: Record) -> None:
    """Write a panel as a folder that every command reads: regions, national series, sources, and what was revised."""
    import pandas as pd

    # Sources stated in the folder of the file `before` are kept.
    panel = found.panel
    save_csv(found.revised, folder / REVISIONS)
    save_csv(long_table(panel), folder / PANEL_FILE)
    regions = pd.DataFrame({**asdict(region), **dict(region.groupings)} for region in panel.regions)
    save_csv(regions.drop(columns="groupings").rename(columns={"group": "class"}), folder / REGIONS)
    declared = declarations_beside(before)
    known = tomllib.loads((before.parent / DECLARATIONS).read_text(encoding="utf-8")) if declared.name else {}
    beside = declared.national or before.parent / SIDECAR
    if panel.national and not found.is_national and beside.is_file():
        shutil.copyfile(beside, folder / SIDECAR)
    elif panel.national:
        series = [(year, name, value) for name, item in panel.national.items() for year, value in item.items()]
        save_csv(pd.DataFrame(series, columns=["year", "variable", "value"]), folder / SIDECAR)
    content = {**known, "schema": 1, "name": panel.name, "panel": PANEL_FILE, "regions": REGIONS}
    content |= {"national": SIDECAR} if panel.national else {}
    content |= {"updates": [*known.get("updates", ()), record]}
    given = known.get("columns", {})
    # Units and marks stand beside every value.
    content["columns"] = {
        name: {"reached_us": before.name, **given.get(name, {}), "unit": panel.units[name], "marks": []}
        for name in observed_in(panel)
    }
    write_text_whole(folder / DECLARATIONS, toml_text(content))


def toml_text(content: Record) -> str:
    """Plain data as TOML: values first, then a table for each entry of those that hold tables."""
    lines = [f"{name} = {_toml(value)}" for name, value in content.items() if not _holds_tables(value)]
    for group, tables in content.items():
        for name, table in tables.items() if _holds_tables(tables) else ():
            lines += ["", f"[{group}.{json.dumps(name)}]"]
            lines += [f"{entry} = {_toml(value)}" for entry, value in table.items()]
    return "\n".join([*lines, ""])


def _holds_tables(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(item, Mapping) for item in value.values())


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def update_lines(found: Update, lang: str) -> Iterator[str]:
    """Lines on the figures that are new, revised and missing."""
    if len(found.added):
        yield Message(
            "{count} new figures of {years}: {columns}",
            count=len(found.added),
            years=spans(sorted(set(found.added["year"]))),
            columns=", ".join(dict.fromkeys(found.added["variable"])),
        )
    if len(found.revised):
        yield Message(
            "{count} figures revised; the new ones hold, {file} lists all:", count=len(found.revised), file=REVISIONS
        )
        yield from _revised(found, lang)
    yield from (_missing(found, year) for year in found.years)
    if found.unused:
        yield Message(
            "not used, because the panel computes it from other columns: {columns}", columns=", ".join(found.unused)
        )


def _revised(found: Update, lang: str) -> Iterator[str]:
    """Lines of the largest revisions, in the units of the file of the panel."""
    names = {item.code: item.name(lang) for item in found.panel.regions}
    order = found.revised["per_cent"].abs().sort_values(ascending=False, kind="stable").index
    rows = [
        [
            f"{names[row['region']]} {row['year']} {row['variable']}",
            *(digits(row[name] / factor_of(found.before, row["variable"])) for name in ("old", "new")),
            f"{written(row['per_cent'], 2, signed=True)} %",
        ]
        for row in found.revised.loc[order[:MAX_LISTED]].to_dict("records")
    ]
    yield from aligned(rows, indent=2)
    if len(order) > MAX_LISTED:
        yield Message("  ... and {count} more", count=len(order) - MAX_LISTED)


def _missing(found: Update, year: int) -> str:
    """Line on the columns that a year lacks, and whether the year can be used."""
    at = found.panel.years.index(year)
    parts = []
    for name in observed_in(found.before):
        absent = np.isnan(found.panel.array(name)[:, at])
        if absent.all():
            parts.append(name)
        elif absent.any():
            parts.append(Message("{name} of {count} regions", name=name, count=int(absent.sum())))
    complete = np.isfinite(found.panel.array("output_per_head")[:, at]).all()
    if not parts:
        return Message("{year} is complete", year=year)
    told = joined(parts, ", ")
    if complete:
        return Message("{year} lacks {columns}; the last figures before stand in", year=year, columns=told)
    return Message(
        "{year} lacks {columns}; until every region has output per head, projections start before it",
        year=year,
        columns=told,
    )


def digits(value: float) -> str:
    """Format a number with five significant digits, or all of its integer part.

    >>> digits(43760.72), digits(0.123456)
    ('43,761', '0.12346')
    """
    return written(value, max(0, 4 - floor(log10(abs(value)))) if value else 0)
