"""What an evaluation says: the key of a text and what goes into its blanks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pysd_runner.text import has_text, say


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence of the report, in whatever language it is read."""

    key: str = ""  # which sentence; empty for none
    parts: Mapping[str, Any] = field(default_factory=dict)  # what goes into its blanks

    def text(self, lang: str) -> str:
        """The sentence in a language, ``"en"`` or ``"zh"``."""
        return say(f"evaluation.{self.key}", lang, **self.parts) if self.key else ""


NOTHING = Phrase()


def has_phrase(key: str) -> bool:
    """Whether there is a sentence of that key."""
    return has_text(f"evaluation.{key}")
