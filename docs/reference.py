"""Pages made from the code: every command with its options, every key of a scenario file, and every former name."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import typer.main

from pysd_runner.cli.application import application
from pysd_runner.core.former import ARGUMENTS, COMMANDS, FORMER, OPTIONS
from pysd_runner.scenarios import scenario_schema

FOLDER = "auto_reference"
# Commands from which on an option is explained once for all.
OFTEN = 4
# Types of the schema in the words of its readers.
WORDS = {"string": "text", "object": "keys below", "array": "list"}


def write(folder: Path) -> None:
    """Write the pages into the folder of the documentation; what is the same stays untouched."""
    pages = {"commands": commands_page(), "scenario_keys": keys_page(), "from_0_2": former_page()}
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, text in pages.items():
        file = folder / FOLDER / f"{name}.md"
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


# What else of 0.2 is read no more.
FILES = {
    "`future.json`, `future.nc` of a model's own results": "`run.json`, `projection.nc`: run them again",
    "`panel.json` beside results": "`data.json`: run them again",
    "`mapping.yaml` written by `gapsim init`": "`NAME.reading.toml`; `gapsim data check --mapping` reads a mapping",
}


def former_page() -> str:
    """Names, keywords, options and files of version 0.2, and what takes their place."""
    keywords = {f"{old}=": f"{new}=" for old, new in ARGUMENTS.items()}
    commands = {f"gapsim {old}": new for old, new in COMMANDS.items()}
    rows = [(_code(old), _code(str(new))) for old, new in (FORMER | keywords | commands | OPTIONS | FILES).items()]
    table = [f"| {old} | {new} |" for old, new in rows]
    return "\n".join(["# From 0.2 to 0.3", "", "| 0.2 | 0.3 |", "| :-- | :-- |", *table]) + "\n"


def _code(text: str) -> str:
    return _safe(text) if "`" in text or (" " in text and not text.startswith("gapsim ")) else f"`{text}`"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by the words that call it, in the order of the help."""
    root = typer.main.get_command(application())
    yield from _below("gapsim", root)


def _below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    names = command.list_commands(click.Context(command)) if hasattr(command, "list_commands") else []
    if not names:
        yield words, command
    for name in names:
        yield from _below(f"{words} {name}", command.commands[name])


def commands_page() -> str:
    """Every command with its options; those of many commands are explained once."""
    known = list(commands())
    told = Counter((_names(item), _meaning(item)) for _, command in known for item in _shown(command))
    often = {found for found, count in told.items() if count >= OFTEN}
    lines = ["# Commands", "", "Every command with its options, made from the program, whose `--help` says the same."]
    for words, command in known:
        options = [(_names(item), _meaning(item)) for item in _shown(command)]
        own = [found for found in options if found not in often]
        others = ", ".join(found[0] for found in options if found in often)
        lines += ["", f"## {words}", "", *_help(command), "", *_options(own)]
        lines += ["", f"[As for other commands](#options-of-many-commands): {others}."]
    lines += ["", "## Options of many commands", "", *_options([found for found in told if found in often])]
    return "\n".join(lines) + "\n"


def _options(found: list[tuple[str, str]]) -> list[str]:
    return ["| option | meaning |", "|---|---|", *(f"| {names} | {text} |" for names, text in found)] if found else []


def _help(command: click.Command) -> list[str]:
    return [_safe(line) for line in (command.help or "").replace("\b", "").strip().splitlines()]


def _shown(command: click.Command) -> list[click.Parameter]:
    return [item for item in command.params if not getattr(item, "hidden", False)]


def _names(item: click.Parameter) -> str:
    if isinstance(item, click.Argument):
        return f"`{item.make_metavar(click.Context(click.Command('')))}`"
    return ", ".join(f"`{name}`" for name in (*item.opts, *item.secondary_opts))


def _meaning(item: click.Parameter) -> str:
    text = _safe(str(getattr(item, "help", "") or "")).replace("|", "\\|").replace("\n", " ")
    default = item.default
    if default in (None, False, (), "") or callable(default) or "default:" in text:
        return text
    return f"{text} Default: `{getattr(default, 'value', default)}`."


def _safe(text: str) -> str:
    return text.replace("<", "&lt;")


def scenario_keys(part: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of a scenario file with what the schema says of it."""
    for name, found in part.get("properties", {}).items():
        yield f"{before}{name}", found
        options = [option for option in found.get("oneOf", [found]) if "patternProperties" not in option]
        yield from scenario_keys(next((option for option in options if "properties" in option), {}), f"{before}{name}.")


def keys_page() -> str:
    """Every key of a scenario file."""
    lines = [
        "# Keys of scenario files",
        "",
        "Made from the schema that `gapsim list schema` writes. [Scenario files](../scenarios.md) explains them.",
        "",
        "| key | meaning | values |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {_described(found)} | {_values(found)} |" for name, found in scenario_keys(scenario_schema())
    ]
    return "\n".join(lines) + "\n"


def _described(found: dict[str, Any]) -> str:
    return _safe(str(found.get("description", ""))).replace("|", "\\|").replace("\n", " ")


def _values(found: dict[str, Any]) -> str:
    parts = []
    for option in found.get("oneOf", [found]):
        if "enum" in option:
            parts += [f"`{value if isinstance(value, str) else json.dumps(value)}`" for value in option["enum"]]
        elif "patternProperties" in option:
            parts.append("by year")
        elif option.get("type"):
            low, high = option.get("minimum"), option.get("maximum")
            kind = WORDS.get(option["type"], option["type"])
            parts.append(kind + (f" {low} to {high}" if low is not None and high is not None else ""))
    return ", ".join(dict.fromkeys(parts))
