"""The panel a command is asked to read, from its options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, InvalidPanel, Message

if TYPE_CHECKING:  # reading panels loads pandas
    from pysd_runner.panel import Panel, PanelMapping, Problem

# Doubts about scale, which does not matter where regions are compared.
SCALE = ("no-unit", "no-population", "magnitude")


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelChoice:
    """A panel and how to read it."""

    source: str  # shipped name or file
    others: Sequence[str] = ()  # files that are read with it as one panel
    columns: Sequence[str] = ()
    units: Sequence[str] = ()
    mapping: Path | None = None
    regions: str | None = None
    national: Path | None = None
    encoding: str | None = None

    @property
    def files(self) -> tuple[str | Path, ...]:
        """What is read, whether file or shipped name; a command writes over none of it."""
        given = (self.source, *self.others, self.mapping, self.regions, self.national)
        return tuple(item for item in given if item is not None)

    def load(self) -> "Panel":
        """Read the panel."""
        from pysd_runner.panel import load_panel

        return load_panel(self._sources(), **self._arguments())

    def read(
        self,
        session: Session,
        *,
        first_year: int | None = None,
        last_year: int | None = None,
        regions: Sequence[str] = (),
    ) -> "Panel":
        """Read the panel, and say its heaviest warning, how many it has and which regions are left out."""
        from pysd_runner.panel import with_output

        panel = self._opened(session, regions, "fit")
        if regions and set(regions) <= set(panel.codes):
            return panel
        cut = with_output(panel, first_year=first_year, last_year=last_year)
        if cut is not panel:
            session.warn(Message("{where}: {said}", where=self.source, said=cut.problems[0].message))
        return cut

    def read_to_compare(self, session: Session, *, regions: Sequence[str] = (), of: str = "fit") -> "Panel":
        """Read the panel for what only compares its regions: all of them, also those that come late or end early."""
        return self._opened(session, regions, of, unsaid=SCALE)

    def _opened(self, session: Session, regions: Sequence[str], of: str, *, unsaid: Sequence[str] = ()) -> "Panel":
        """Read the panel, say its heaviest warning of those that matter, and cut it to regions where it holds them."""
        from pysd_runner.panel import check_size, of_regions
        from pysd_runner.panel.problems import heaviest_first

        panel = self._loaded(session.lang)
        problems = heaviest_first(problem for problem in panel.problems if problem.rule not in unsaid)
        if problems:
            from pysd_runner.reports.panel_contents import first_problem

            session.warn(first_problem(self.source, problems, session.lang))
        if not (regions and set(regions) <= set(panel.codes)):
            check_size(panel)
            return panel
        cut = of_regions(panel, regions)
        if cut is not panel:
            session.note(
                Message(
                    "{source}: {count} of its {all} regions, those of the {of}",
                    source=self.source,
                    count=len(cut.regions),
                    all=len(panel.regions),
                    of=Message(of),
                )
            )
        return cut

    def _loaded(self, lang: str) -> "Panel":
        """Read the panel; why it cannot be read is told in the language of the reader."""
        try:
            return self.load()
        except InvalidPanel:
            if lang == "en":
                raise
            from pysd_runner.panel.problems import errors_of
            from pysd_runner.reports.panel_contents import refusal

            problems = errors_of(self.check())
            if not problems:
                raise
            raise InvalidPanel(refusal(self.source, problems, lang)) from None

    def check(self) -> "list[Problem]":
        """List everything that is wrong with it."""
        from pysd_runner.panel import check_panel

        return check_panel(self._sources(), **self._arguments())

    def _sources(self) -> "str | list[str]":
        return [self.source, *self.others] if self.others else self.source

    def _arguments(self) -> dict[str, Any]:
        return {
            "mapping": self._mapping(),
            "regions": self.regions,
            "national": self.national,
            "encoding": self.encoding,
            "units": pairs(self.units, "--unit", "output='100 million yuan'") or None,
        }

    def _mapping(self) -> "PanelMapping | Mapping[str, str] | None":
        """Mapping file with the columns of the command line on top."""
        columns = pairs(self.columns, "--map", "Jahr=year")
        if self.mapping is None:
            return columns or None
        from pysd_runner.panel import load_mapping

        read = load_mapping(self.mapping)
        return read.merged(columns={**read.columns, **columns})


def pairs(texts: Sequence[str], option: str, example: str) -> dict[str, str]:
    """Read ``left=right`` texts; the last sign divides, because headings may hold one."""
    found = {}
    for text in texts:
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
