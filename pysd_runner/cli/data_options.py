"""Model and data of a command, as selected by its options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.options import MODEL, SHIPPED_PANEL, check_needs, check_times
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.data import Data, PanelMapping
    from pysd_runner.model import Model
    from pysd_runner.spec import FittedParameters
    from pysd_runner.spec.design import StudyDesign

# Rules of warnings about scale, which does not matter if regions are only compared.
SCALE = ("no-unit", "no-population", "magnitude")


def choose(model: Path | None, source: str | None, reading: Path | None, *groups: Any) -> "DataChoice":
    """Select a model and its data, by default the shipped ones; reject options that do not apply to the model."""
    from pysd_runner.spec.load import design_at

    design = design_at(model)
    check_needs(design, *groups)
    check_times(design, *groups)
    return DataChoice(model=model, source=source or design.source or None, reading=reading)


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """A model, its data, and how these are read."""

    model: Path | None = None
    source: str | None = SHIPPED_PANEL
    others: Sequence[str] = ()
    reading: "Path | PanelMapping | None" = None
    onto: "Data | None" = None  # panel for which the files hold new figures

    @property
    def design(self) -> "StudyDesign":
        """The design of the study, as far as it is known before the model is read."""
        from pysd_runner.spec.load import design_at

        return design_at(self.model)

    @property
    def files(self) -> list[str | Path]:
        """Files and shipped names that are read, which a command must not overwrite."""
        from pysd_runner.core.paths import declarations_beside, model_file

        file = None if self.model is None else model_file(self.model)
        beside = [] if file is None else [file, declarations_beside(file)]
        read = (self.source, *self.others, *([self.reading] if isinstance(self.reading, Path) else []))
        return [*beside, *(item for item in read if item is not None)]

    @property
    def words(self) -> list[str]:
        """Command-line options that reproduce this choice of model and data."""
        model = [] if self.model is None else ["--model", str(self.model)]
        return [*model, *(["--reading", str(self.reading)] if isinstance(self.reading, Path) else [])]

    def load_model(self, data: "Data | None" = None) -> "Model":
        """Load the model, with as many regions as the panel has."""
        from pysd_runner.model import load_model

        return load_model(self.model or MODEL, regions=None if data is None else data.count)

    def load(self) -> "Data":
        """Read the data."""
        from pysd_runner.data import load_data

        return load_data(self.sources, **self.settings)

    def read(
        self,
        session: Session,
        fitted: "FittedParameters | None" = None,
        *,
        start: float | None = None,
        until: float | None = None,
        is_compared: bool = False,
    ) -> "Data":
        """Read the data, and report the most important warning and the regions that are left out.

        Parameters
        ----------
        session
            Session that writes the messages.
        fitted
            A fit: only its regions are kept, if the panel has all of them.
        start, until
            Ends of the requested window.
        is_compared
            Whether regions are only compared with each other; then none is left out for a late start or early end.
        """
        data = self._loaded(session, unsaid=SCALE if is_compared else ())
        cuts: Mapping[str, Callable[..., Data]] = {"relative_output": self._comparable, "columns": self._whole}
        return cuts[self.design.target](session, data, fitted, (start, until), is_compared)

    def _whole(self, _session: Session, data: "Data", *_: Any) -> "Data":
        """All of the data."""
        return data

    def _comparable(
        self,
        session: Session,
        data: "Data",
        fitted: "FittedParameters | None",
        window: tuple[float | None, float | None],
        is_compared: bool,
    ) -> "Data":
        """The regions of a fit, or those that can be compared within a window."""
        from pysd_runner.data import check_region_count, of_regions, with_output

        codes = () if fitted is None else fitted.regions
        if codes and set(codes) <= set(data.codes):
            cut = of_regions(data, codes)
            if cut is not data:
                session.note(
                    Message(
                        "{source}: {count} of its {all} regions, those of the fit",
                        source=self.source,
                        count=len(cut.regions),
                        all=len(data.regions),
                    )
                )
            return cut
        check_region_count(data)
        first, last = (None if asked is None else int(asked) for asked in window)
        cut = data if is_compared else with_output(data, first_year=first, last_year=last)
        if cut is not data:
            session.warn(Message("{where}: {said}", where=self.source, said=cut.problems[0].message))
        return cut

    def tell(self, session: Session, data: "Data") -> None:
        """Report the reading settings that come from a file beside the data."""
        for told in data.reading.values():
            files = ", ".join(told["files"])
            text = Message("{source}, read by {files}: {said}", source=self.source, files=files, said=told["settings"])
            session.note(text)

    def _loaded(self, session: Session, unsaid: Sequence[str]) -> "Data":
        """Read the data; report failures in the language of the session."""
        from pysd_runner.core.findings import errors_of
        from pysd_runner.data.checks import heaviest_first
        from pysd_runner.data.load import InvalidData
        from pysd_runner.reports.panels import first_problem, refusal

        source = str(self.source)
        try:
            data = self.load()
        except InvalidData as error:
            if session.lang == "en":
                raise
            raise InvalidPanel(refusal(source, errors_of(error.problems), session.lang)) from None
        self.tell(session, data)
        doubts = heaviest_first(problem for problem in data.problems if problem.rule not in unsaid)
        if doubts:
            session.warn(first_problem(source, doubts, session.lang))
        return data

    @property
    def sources(self) -> "str | list[str]":
        """Argument `source` of `load_data`."""
        return [str(self.source), *self.others] if self.others else str(self.source)

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments of `load_data`."""
        return {"roles": self.reading, "panel": bool(self.design.panel) if self.onto is None else self.onto}


def pairs(texts: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """Parse ``left=right`` arguments, split at the last equals sign, because headings may contain one."""
    found = {}
    for text in texts or ():
        left, sign, right = text.rpartition("=")
        if not (sign and left.strip() and right.strip()):
            raise InvalidInput(
                "{option} {text!r}: expected two names with = between them, as in {option} {example}",
                option=option,
                text=text,
                example=example,
            )
        found[left.strip()] = right.strip()
    return found


def names_of(texts: Sequence[str] | None) -> list[str] | None:
    """Split names at commas, except at those within brackets; each name once."""
    if texts is None:
        return None
    found, depth, current = [], 0, ""
    for sign in ",".join(texts):
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += sign
    found.append(current.strip())
    return list(dict.fromkeys(filter(None, found)))
