"""Read what belongs together: command scripts, .cmd, control files in JSON, and the settings of a model."""

import json
import re
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

from pysd_runner.core.types import frozen
from pysd_runner.published.lines import Item, Place, items_of, text_of

# Commands of a script by the setting that they give; other commands say nothing about what is run.
_SETTINGS = {
    "LOADMODEL": "model",
    "DATA": "sets",
    "READCIN": "changes",
    "ADDCIN": "changes",
    "PAYOFF": "payoff",
    "OPTPARM": "search",
    "SAVELIST": "saved",
    "RUNNAME": "name",
}
_KEYS = {
    "model": "model",
    "data": "sets",
    "changes": "changes",
    "payoff": "payoff",
    "optparm": "search",
    "savelist": "saved",
}
# Numbers of settings in a model file, with which Vensim would run it next.
_NUMBERS = {"9": "name", "10": "changes", "11": "search", "12": "payoff", "13": "sets", "20": "saved"}
_BEGIN = re.compile(r":L\x7f?<%\^E!@")
_LISTS = ("sets", "changes")


@frozen
class StudyRun:
    """Settings of one run: names of files as the script gives them, relative to its folder."""

    name: str = ""
    model: str = ""
    sets: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    values: tuple[Item, ...] = ()  # changes in the script itself, ``name=value``
    payoff: str = ""
    search: str = ""
    saved: str = ""
    is_search: bool = False  # whether it searches for the best payoff
    place: Place


def read_runs(path: str | Path) -> tuple[StudyRun, ...]:
    """Read a command script, or a control file in JSON as the tools for automatic searches write them.

    Parameters
    ----------
    path
        The file. In a script settings hold until they are set again; ``ADDCIN`` adds to the change files and ``SETVAL``
        holds for the next run. In a control file ``simsettings`` describes the base run, and any other list that holds
        nothing but change files names scenarios, each on top of those of the base.

    Returns
    -------
    tuple of StudyRun
        One for each ``MENU>RUN`` or ``MENU>RUN_OPTIMIZE``, or the base run and the scenarios; empty for other files.

    Raises
    ------
    InvalidInput
        If the file cannot be read or is no text.
    """
    path = Path(path)
    return _script(path) if path.suffix.lower() == ".cmd" else _control(path)


def settings_of(path: Path) -> StudyRun | None:
    """What the settings at the end of a Vensim model name: the run that its authors set up last; None without files."""
    lines = text_of(path).splitlines()
    begun = next((number for number, line in enumerate(lines, start=1) if _BEGIN.match(line)), len(lines))
    now: dict[str, Any] = {}
    places = []
    for number, line in enumerate(lines[begun:], start=begun + 1):
        field = _NUMBERS.get(line.partition(":")[0], "")
        value = line.partition(":")[2].strip()
        if field and value not in ("", "0"):
            now[field] = _names(value) if field in _LISTS else value
            places += [number] * (field != "name")
    return StudyRun(**now, model=path.name, place=Place(path.name, places[0])) if places else None


def _script(path: Path) -> tuple[StudyRun, ...]:
    runs: list[StudyRun] = []
    now: dict[str, Any] = {"changes": (), "values": ()}
    for item in items_of(path):
        command, _, given = item.text.partition(">")[2].partition("|")
        word, value = command.strip().upper(), given.strip().strip('"')
        field = _SETTINGS.get(word, "")
        if word in ("RUN", "RUN_OPTIMIZE"):
            runs.append(StudyRun(**now, is_search=word != "RUN", place=item.place))
            now["values"] = ()
        elif word == "SETVAL":
            now["values"] += (Item(value, item.place),)
        elif field in _LISTS:
            now[field] = (*now["changes"], *_names(value)) if word == "ADDCIN" else _names(value)
        elif field:
            now[field] = value
    return tuple(runs)


def _control(path: Path) -> tuple[StudyRun, ...]:
    text = text_of(path)
    try:
        content = json.loads(text)
        settings = content["simsettings"]
        given = {field: settings.get(key) or "" for key, field in _KEYS.items()}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ()

    def place(word: str) -> Place:
        return Place(path.name, text[: text.find(f'"{word}"')].count("\n") + 1)

    typed: dict[str, Any] = {field: _texts(value) if field in _LISTS else str(value) for field, value in given.items()}
    name = str(content.get("baserunname", ""))
    base = StudyRun(**typed, name=name, is_search=bool(typed["search"]), place=place("simsettings"))
    lists = [_texts(value) for value in content.values() if isinstance(value, list)]
    files = dict.fromkeys(file for item in lists if all(map(_is_change, item)) for file in item)
    others = (
        replace(
            base, name=PureWindowsPath(file).stem, changes=(*base.changes, file), is_search=False, place=place(file)
        )
        for file in files
    )
    return (base, *others)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(part.strip().strip('"') for part in listed.split(",") if part.strip())


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),) if value else ()


def _is_change(name: str) -> bool:
    return name.lower().endswith(".cin")
