"""What the reader of the command line says of words it cannot use, as messages."""

import re
from functools import cache

from pysd_runner.core.errors import Message

# The reader is a library that formats its messages itself, so here alone they are recognised by their words.
TEMPLATES = (
    "No such option: {option} Did you mean {name}?",
    "No such option: {option} (Possible options: {options})",
    "No such option: {option}",
    "No such command {command}. Did you mean {name}?",
    "No such command {command}.",
    "Missing command.",
    "Missing argument {argument}.",
    "Missing option {option}.",
    "Got unexpected extra argument(s) ({arguments})",
    "Got unexpected extra argument ({arguments})",
    "Got unexpected extra arguments ({arguments})",
    "Option {option} does not take a value.",
    "Option {option} requires an argument.",
    "Invalid value for {option}: {said}",
    "Input should be greater than or equal to {low}",
    "Input should be less than or equal to {high}",
    "Input should be greater than {low}",
    "Input should be a valid integer, unable to parse string as an integer",
    "Input should be a valid number, unable to parse string as a number",
    "Input should be {choices}",
    "{value} is not in the range {range}.",
    "{value} is not a valid integer.",
    "{value} is not a valid float.",
    "{value} is not one of {choices}.",
    "Path {path} does not exist.",
    "File {path} does not exist.",
    "Directory {path} does not exist.",
    "Directory {path} is a file.",
    "File {path} is a directory.",
)


def usage_message(text: str) -> Message:
    """A text of the reader as a message; one that is not known stays.

    >>> usage_message("Missing option '--fit'.").template
    'Missing option {option}.'
    """
    for template, pattern in _patterns():
        if match := pattern.fullmatch(text):
            parts = {name: usage_message(part) if name == "said" else part for name, part in match.groupdict().items()}
            return Message(template, **parts)
    return Message(text)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    blank = re.compile(r"\\\{(\w+)\\\}")
    return tuple((text, re.compile(blank.sub(r"(?P<\1>.+)", re.escape(text)))) for text in TEMPLATES)
