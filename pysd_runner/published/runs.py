"""Read what belongs together: command scripts, .cmd, control files in JSON, and the settings of a model."""

import json
import re
from collections.abc import Mapping
from dataclasses import field, replace
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
    places: Mapping[str, Place] = field(default_factory=dict)  # of names of files

    def place_of(self, name: str) -> str:
        """Where the name of a file stands."""
        return str(self.places.get(name, self.place))


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
    places: dict[str, Place] = {}
    for number, line in enumerate(lines[begun:], start=begun + 1):
        setting = _NUMBERS.get(line.partition(":")[0], "")
        value = line.partition(":")[2].strip()
        if setting and value not in ("", "0"):
            now[setting] = _names(value) if setting in _LISTS else value
            if setting != "name":
                places |= dict.fromkeys(_names(value), Place(path.name, number))
    return StudyRun(**now, model=path.name, place=next(iter(places.values())), places=places) if places else None


def _script(path: Path) -> tuple[StudyRun, ...]:
    runs: list[StudyRun] = []
    now: dict[str, Any] = {"changes": (), "values": ()}
    places: dict[str, Place] = {}
    for item in items_of(path):
        command, _, given = item.text.partition(">")[2].partition("|")
        word, value = command.strip().upper(), given.strip().strip('"')
        setting = _SETTINGS.get(word, "")
        places |= dict.fromkeys(_names(value), item.place)
        if word in ("RUN", "RUN_OPTIMIZE"):
            runs.append(StudyRun(**now, is_search=word != "RUN", place=item.place, places=dict(places)))
            now["values"] = ()
        elif word == "SETVAL":
            now["values"] += (Item(value, item.place),)
        elif setting in _LISTS:
            now[setting] = (*now["changes"], *_names(value)) if word == "ADDCIN" else _names(value)
        elif setting:
            now[setting] = value
    return tuple(runs)


def _control(path: Path) -> tuple[StudyRun, ...]:
    text = text_of(path)
    try:
        content = json.loads(text)
        settings = content["simsettings"]
        given = {setting: settings.get(key) or "" for key, setting in _KEYS.items()}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ()

    def place(word: str) -> Place:
        return Place(path.name, text[: text.find(f'"{word}"')].count("\n") + 1)

    typed: dict[str, Any] = {
        setting: _texts(value) if setting in _LISTS else str(value) for setting, value in given.items()
    }
    places = {name: place(name) for value in typed.values() for name in _texts(value)}
    name = str(content.get("baserunname", ""))
    base = StudyRun(**typed, name=name, is_search=bool(typed["search"]), place=place("simsettings"), places=places)
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
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),) if value else ()


def _is_change(name: str) -> bool:
    return name.lower().endswith(".cin")
