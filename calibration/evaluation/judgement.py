"""What a test said of a model: passed, failed, or not tested and why; and the phrases it says it in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pysd_runner.text import has_text, say

if TYPE_CHECKING:
    import pandas as pd


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


class Verdict(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not tested"

    @classmethod
    def of(cls, holds: bool | None) -> "Verdict":
        """Passed when a criterion holds, failed when it does not, and not tested where nobody can tell (None)."""
        return cls.NOT_TESTED if holds is None else cls.PASSED if holds else cls.FAILED


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """One test of one thing.

    Parameters
    ----------
    test
        Key of the test; its title and criterion are phrases of that key.
    subject
        What was tested: a series, an equation, a parameter, an experiment.
    verdict
        How it ended.
    value
        The number the verdict rests on; None where there is none.
    bound
        What it was held against; None where there is none.
    note
        What was found, or why it was not tested; empty when there is nothing to say.
    section
        Part of the report, as the section that holds it is called.
    """

    test: str
    subject: str
    verdict: Verdict
    value: float | None = None
    bound: float | None = None
    note: Phrase = field(default_factory=Phrase)
    section: str = ""

    @classmethod
    def of(
        cls,
        test: str,
        subject: str,
        holds: bool | None,
        *,
        value: float | None = None,
        bound: float | None = None,
        note: Phrase = NOTHING,
    ) -> "Judgement":
        """A test whose criterion holds, does not, or could not be tried (None)."""
        return cls(test=test, subject=subject, verdict=Verdict.of(holds), value=value, bound=bound, note=note)

    @classmethod
    def untested(cls, test: str, reason: str, subject: str = "", **parts: object) -> "Judgement":
        """A test that was not made; the reason is the key of a phrase, `parts` go into its blanks."""
        return cls.of(test, subject, None, note=Phrase(reason, parts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One part of an evaluation.

    Parameters
    ----------
    key
        Name, also the key of its heading.
    judgements
        What was tested.
    tables
        The numbers, by name.
    """

    key: str
    judgements: tuple[Judgement, ...] = ()
    tables: Mapping[str, "pd.DataFrame"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = tuple(replace(item, section=self.key) for item in self.judgements)
        object.__setattr__(self, "judgements", own)

    def count(self, verdict: Verdict) -> int:
        """How many tests ended so."""
        return sum(item.verdict is verdict for item in self.judgements)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Everything an evaluation found.

    Parameters
    ----------
    sections
        In the order of the report.
    title
        What was evaluated, in a few words.
    provenance
        Everything needed to make it again.
    """

    sections: tuple[Section, ...]
    title: str
    provenance: Mapping[str, Any]

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """Every test, in the order of the report."""
        return tuple(item for section in self.sections for item in section.judgements)

    def section(self, key: str) -> Section:
        """Give one part.

        Parameters
        ----------
        key
            Its name.

        Returns
        -------
        Section
            The part.

        Raises
        ------
        UnknownName
            If there is no such part.
        """
        from pysd_runner.core.errors import UnknownName, suggest

        for item in self.sections:
            if item.key == key:
                return item
        names = [item.key for item in self.sections]
        raise UnknownName(
            "the evaluation has no section {name!r}.{suggestion}", name=key, suggestion=suggest(key, names)
        )

    def count(self, verdict: Verdict) -> int:
        """How many tests ended so."""
        return sum(section.count(verdict) for section in self.sections)

    @property
    def failed(self) -> tuple[Judgement, ...]:
        """Tests that failed."""
        return tuple(item for item in self.judgements if item.verdict is Verdict.FAILED)

    def to_frame(self, *, lang: str = "en") -> "pd.DataFrame":
        """Every test, one row each: section, test, subject, verdict, value, bound, criterion, note.

        Parameters
        ----------
        lang
            ``"en"`` or ``"zh"``, the language of titles, criteria and notes.
        """
        import pandas as pd

        return pd.DataFrame(judgement_rows(self.judgements, lang=lang), columns=list(COLUMNS))


COLUMNS = ("section", "test", "subject", "verdict", "value", "bound", "title", "criterion", "note")


def judgement_rows(judgements: Iterable[Judgement], *, lang: str) -> list[dict[str, Any]]:
    """Tests as plain rows."""
    return [
        {
            "section": item.section,
            "test": item.test,
            "subject": item.subject,
            "verdict": str(item.verdict),
            "value": item.value,
            "bound": item.bound,
            "title": Phrase(f"test.{item.test}").text(lang),
            "criterion": Phrase(f"criterion.{item.test}").text(lang),
            "note": item.note.text(lang),
        }
        for item in judgements
    ]
