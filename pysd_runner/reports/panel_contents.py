"""What a panel holds, as plain data and as lines of text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pysd_runner.panel import Panel, Problem
from pysd_runner.panel.problems import SHOWN
from pysd_runner.text import say
from pysd_runner.text.notices import in_language


def panel_facts(panel: Panel) -> dict[str, Any]:
    """What a panel holds, as plain data."""
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


def panel_lines(panel: Panel, *, lang: str = "en") -> list[str]:
    """What a panel holds, for people."""
    facts = panel_facts(panel)
    basis = f", {in_language(panel.price_basis, lang)}" if panel.price_basis else ""
    rows = [(name, *_variable_words(variable, lang)) for name, variable in facts["variables"].items()]
    national = say("panel_line.national", lang)
    rows += [(name, f"{first}-{last}", national) for name, (first, last) in facts["national"].items()]
    width = max(len(name) for name, *_ in rows)
    opening = say("panel_line.panel", lang, count=len(panel.regions), first=panel.years[0], last=panel.years[-1])
    return [f"{opening}{basis}"] + [f"  {name:<{width}}  {years:<9}  {words}" for name, years, words in rows]


def verdict(file: str, errors: int, warnings: int, lang: str) -> str:
    """How many problems a file has."""
    counts = [
        say(f"panel_line.{noun}_count{'_one' if number == 1 else ''}", lang, count=number)
        for noun, number in (("error", errors), ("warning", warnings))
        if number
    ]
    return f"{file}: {', '.join(counts) or say('panel_line.none', lang)}"


def problem_line(problem: Problem, lang: str) -> str:
    """A problem in one line: severity, place, sentence, what was found and what was expected."""
    return say(f"panel_line.{problem.severity}", lang, said=_described(problem, lang))


def first_problem(source: str, problems: Sequence[Problem], lang: str) -> str:
    """The first problem of a panel in one line, and how many there are beside it."""
    text = f"{source}: {_described(problems[0], lang)}"
    return say("panel_line.more", lang, said=text, count=len(problems) - 1) if len(problems) > 1 else text


def refusal(source: str, problems: Sequence[Problem], lang: str) -> str:
    """Why a panel is not read: how many problems it has, and the first few."""
    lines = [verdict(source, len(problems), 0, lang), *(problem_line(item, lang) for item in problems[:SHOWN])]
    if len(problems) > SHOWN:
        lines.append(say("panel_line.rest", lang, count=len(problems) - SHOWN))
    return "\n  ".join(lines)


def _described(problem: Problem, lang: str) -> str:
    place = [say("panel_line.row", lang, row=problem.row)] if problem.row is not None else []
    place += [say("panel_line.column", lang, column=repr(problem.column))] if problem.column else []
    said = in_language(problem.message.rstrip("."), lang)
    parts = [say("panel_line.at", lang, place=say("list.separator", lang).join(place), said=said) if place else said]
    if problem.found:
        found = in_language(problem.found, lang)
        parts.append(say("panel_line.found", lang, found=repr(found) if found == problem.found else found))
    if problem.expected:
        parts.append(say("panel_line.expected", lang, expected=in_language(problem.expected, lang)))
    return say("report.clauses", lang).join(parts).replace("\n", " ")


def _variable_facts(panel: Panel, name: str) -> dict[str, Any]:
    years = panel.years_with(name)
    first, last = (panel.years.index(years[0]), panel.years.index(years[-1])) if years else (0, -1)
    return {
        "unit": panel.units[name],
        "years": [years[0], years[-1]] if years else [],
        "missing": int(np.isnan(panel[name][:, first : last + 1]).sum()),
        "without_last_year": [
            region.code
            for region, value in zip(panel.regions, panel[name][:, last], strict=True)
            if years and np.isnan(value)
        ],
        "derived": bool(np.any(panel.marks.get(name, "") == "derived")),
    }


def _variable_words(facts: dict[str, Any], lang: str) -> tuple[str, str]:
    years = "{}-{}".format(*facts["years"]) if facts["years"] else say("panel_line.empty", lang)
    notes = [facts["unit"]]
    notes += [say("panel_line.missing", lang, count=facts["missing"])] if facts["missing"] else []
    if late := facts["without_last_year"]:
        more = len(late) - SHOWN
        named = {"year": facts["years"][-1], "regions": ", ".join(late[:SHOWN])}
        key = "panel_line.late_more" if more > 0 else "panel_line.late"
        notes.append(say(key, lang, **named, count=more))
    notes += [say("panel_line.derived", lang)] if facts["derived"] else []
    return years, ", ".join(notes)
