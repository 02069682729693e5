"""Results of the tests of a model (passed, failed, or not tested with a reason), and the phrases of their report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pysd_runner.core.types import Record, Texts, Values, frozen
from pysd_runner.text import translate, translated

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence of the report, available in every language."""

    key: str = ""  # key of the sentence; empty for none
    parts: Values = field(default_factory=dict)  # values of its placeholders

    def text(self, lang: str) -> str:
        """The sentence in a language, ``"en"`` or ``"zh"``."""
        parts = {
            name: translated(value, lang) if isinstance(value, str) else value for name, value in self.parts.items()
        }
        return translate(f"evaluation.{self.key}", lang, **parts) if self.key else ""


NOTHING = Phrase()


class Verdict(StrEnum):
    """Result of a test."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not tested"

    @classmethod
    def of(cls, holds: bool | None) -> "Verdict":
        """Passed if a criterion holds, failed if it does not, and not tested if it could not be evaluated (None)."""
        return cls.NOT_TESTED if holds is None else cls.PASSED if holds else cls.FAILED


@frozen
class Judgement:
    """The result of one test of one subject.

    Parameters
    ----------
    test
        Key of the test; its title and criterion are phrases with that key.
    subject
        Name of the tested series, equation, parameter or experiment.
    verdict
        Result of the test.
    value
        The number that decides the verdict, or None.
    bound
        The number that `value` is compared with, or None.
    note
        Explanation of the result, or the reason why it was not tested; may be empty.
    section
        Key of the section of the report that contains the test.
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
        """Build the result of a test whose criterion holds, does not, or could not be evaluated (None)."""
        return cls(test=test, subject=subject, verdict=Verdict.of(holds), value=value, bound=bound, note=note)

    @classmethod
    def untested(cls, test: str, reason: str, subject: str = "", **parts: object) -> "Judgement":
        """Build the result of a test that was not made; `reason` is the key of a phrase, `parts` its placeholders."""
        return cls.of(test, subject, None, note=Phrase(reason, parts))


@frozen
class Section:
    """One part of an evaluation.

    Parameters
    ----------
    key
        Name of the section, also the key of its heading.
    judgements
        Results of its tests.
    tables
        Tables of numbers, by name.
    """

    key: str
    judgements: tuple[Judgement, ...] = ()
    tables: Mapping[str, "pd.DataFrame"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = tuple(replace(item, section=self.key) for item in self.judgements)
        object.__setattr__(self, "judgements", own)

    def count(self, verdict: Verdict) -> int:
        """Number of tests in the section with the given verdict."""
        return sum(item.verdict is verdict for item in self.judgements)


@frozen
class Evaluation:
    """The results of an evaluation.

    Parameters
    ----------
    sections
        Sections in the order of the report.
    title
        Name of the evaluated model, and of the panel if it is calibrated.
    provenance
        Everything needed to reproduce the evaluation.
    names
        Chinese names of subjects: of parameters, outcomes, policies, and of what is declared beside the model.
    """

    sections: tuple[Section, ...]
    title: str
    provenance: Record
    names: Texts = field(default_factory=dict)

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """Results of all tests, in the order of the report."""
        return tuple(item for section in self.sections for item in section.judgements)

    def section(self, key: str) -> Section:
        """Return one section.

        Parameters
        ----------
        key
            Name of the section.

        Returns
        -------
        Section
            The section.

        Raises
        ------
        UnknownName
            If there is no such section.
        """
        from pysd_runner.core.errors import UnknownName

        for item in self.sections:
            if item.key == key:
                return item
        names = [item.key for item in self.sections]
        raise UnknownName("the evaluation has no section {name!r}.{suggestion}", name=key, among=names)

    def count(self, verdict: Verdict) -> int:
        """Number of tests with a verdict."""
        return sum(section.count(verdict) for section in self.sections)

    def named(self, subject: str, lang: str) -> str:
        """Name of a subject, or of each of several, in a language."""
        names = self.names if lang == "zh" else {}
        whole = translated(subject, lang, names)
        return whole if whole != subject else ", ".join(translated(part, lang, names) for part in subject.split(", "))

    @property
    def failed(self) -> tuple[Judgement, ...]:
        """Tests that failed."""
        return tuple(item for item in self.judgements if item.verdict is Verdict.FAILED)

    def to_frame(self, *, lang: str = "en") -> "pd.DataFrame":
        """Table of all tests, one row each: section, test, subject, verdict, value, bound, title, criterion, note.

        Parameters
        ----------
        lang
            Language of titles, criteria and notes, ``"en"`` or ``"zh"``.
        """
        import pandas as pd

        return pd.DataFrame(judgement_rows(self.judgements, lang=lang), columns=list(COLUMNS))


COLUMNS = ("section", "test", "subject", "verdict", "value", "bound", "title", "criterion", "note")


def judgement_rows(judgements: Iterable[Judgement], *, lang: str) -> list[dict[str, Any]]:
    """Results of tests as dictionaries, one per row of a table."""
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
