"""A brief: one page on the outlook of a region, a class or the nation, and the effects of policy mixes."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.export import write_bytes_whole
from pysd_runner.reports.brief_paths import (
    LEAST_CHANGE,
    LEAST_DRAWS,
    Paths,
    Told,
    around,
    bars_of,
    causes,
    chart_of,
    check_scenarios,
    paths_of,
    regions_of,
    told,
)
from pysd_runner.reports.document import (
    Bullets,
    Heading,
    Link,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    to_html,
)
from pysd_runner.reports.evidence import foreign_costs, meaning_of, rests
from pysd_runner.reports.headline import is_assumed, label_of, some_of
from pysd_runner.reports.panels import Area, find_place
from pysd_runner.study.future import Future
from pysd_runner.text import LANGUAGES, panel_title, say

if TYPE_CHECKING:
    from pysd_runner.plots import ReportFigure

FORMATS = ("html", "docx", "xlsx")
# Maximum number of mixes whose lines can be distinguished in one figure.
MOST_MIXES = 5
_GAINERS = 3


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Brief:
    """One page on a region, a class or the nation.

    Attributes
    ----------
    place
        The region, class or nation described.
    document
        The parts of the page, in order.
    figure
        The chart on the page, with its data.
    bars
        Chart of spending by lever under each mix; None if there is no mix or the results lack the data.
    paths
        The numbers on the page.
    lang
        Language of the page.
    """

    place: Area
    document: ReportDocument
    figure: "ReportFigure"
    bars: "ReportFigure | None"
    paths: Paths
    lang: str

    def __repr__(self) -> str:
        return f"<Brief on {self.place.names[self.lang]!r}: {', '.join(self.paths.mixes) or 'no policy'}>"

    def save(self, path: str | Path) -> Path:
        """Write the page as an HTML, Word or Excel file, atomically.

        Parameters
        ----------
        path
            A file that ends in ``.html``, ``.docx`` or ``.xlsx``.

        Returns
        -------
        Path
            ``path``.

        Raises
        ------
        InvalidInput
            If the file name has another extension.
        OSError
            If the file cannot be written.
        """
        ending = Path(path).suffix.lower().removeprefix(".")
        if ending not in FORMATS:
            raise InvalidInput(
                "{path}: a brief is written as {formats}; give a name that ends so",
                path=path,
                formats=", ".join(f".{name}" for name in FORMATS),
            )
        return write_bytes_whole(path, self._content(ending))

    def with_explorer(self, file: str) -> "Brief":
        """A copy with a link to an explorer page, which runs the model.

        Parameters
        ----------
        file
            Name of the explorer page, in the folder of the brief.
        """
        parts = [*self.document.parts, Link(say("brief.explorer", self.lang), file)]
        return replace(self, document=replace(self.document, parts=parts))

    def _content(self, ending: str) -> bytes:
        if ending == "html":
            return to_html(self.document, Path()).encode("utf-8")
        if ending == "docx":
            from pysd_runner.reports.document import to_docx

            return to_docx(self.document)
        from pysd_runner.reports.brief_workbook import to_workbook

        money = None if self.bars is None else self.bars.data
        return to_workbook(self.document, self.figure.data, money, self.lang)

    def _repr_html_(self) -> str:
        """Show the first paragraph and the chart in a notebook."""
        import html

        first = next(part.text for part in self.document.parts if isinstance(part, Paragraph))
        return f"<p>{html.escape(first)}</p>{self.figure._repr_html_()}"


def brief(
    projection: Future,
    region: str,
    *,
    mixes: Sequence[str] = (),
    lang: str = "en",
    date: datetime.date | None = None,
) -> Brief:
    """Write one page on the outlook of a region and the effects of policy mixes.

    Parameters
    ----------
    projection
        Result of `project` or `load_future`.
    region
        Name of a region in English or Chinese, its code, a class of regions, or ``"nation"``.
    mixes
        Scenarios to compare, at most five; empty for the first five policies of the projection.
    lang
        ``"en"`` or ``"zh"``.
    date
        Date on the page; None for today.

    Returns
    -------
    Brief
        The brief; ``save`` writes HTML, Word or Excel.

    Raises
    ------
    UnknownName
        If the projection has no such region or scenario.
    InvalidInput
        If there are too many mixes, or the projection lacks data needed for a class or the nation.
    """
    if lang not in LANGUAGES:
        raise InvalidInput(
            "lang={lang!r} is not a language of briefs; choose one of {known}", lang=lang, known=", ".join(LANGUAGES)
        )
    place = find_place(region, regions_of(projection))
    chosen = _chosen(projection, mixes)
    paths = paths_of(projection, place, chosen)
    year = int(projection.data["year"][-1])
    figure = chart_of(projection, place, chosen, lang=lang)
    writer = _Writer(projection, place, paths, lang)
    bars = bars_of(projection, place, paths.mixes, lang=lang)
    document = ReportDocument(
        title=say("brief.title", lang, name=place.names[lang][:1].upper() + place.names[lang][1:], year=year),
        lang=lang,
        parts=list(writer.parts(figure, bars, date or datetime.date.today())),
        one_page=True,
    )
    return Brief(place=place, document=document, figure=figure, bars=bars, paths=paths, lang=lang)


def _chosen(projection: Future, mixes: Sequence[str]) -> tuple[str, ...]:
    check_scenarios(projection, mixes)
    if not mixes:
        return projection.policies[:MOST_MIXES]
    chosen = tuple(dict.fromkeys(name for name in mixes if name in projection.policies))
    if len(chosen) > MOST_MIXES:
        raise InvalidInput(
            "a brief compares {most} policy mixes at most; choose from {known}",
            most=MOST_MIXES,
            known=", ".join(chosen),
        )
    return chosen


class _Writer:
    """Writes the sentences and tables of a brief."""

    def __init__(self, projection: Future, place: Area, paths: Paths, lang: str) -> None:
        self.projection, self.place, self.paths, self.lang = projection, place, paths, lang
        self.name = place.names[lang]
        self.last = int(projection.data["year"][-1])

    def parts(self, figure: "ReportFigure", bars: "ReportFigure | None", date: datetime.date) -> Iterator[Part]:
        """Parts of the page below the title, in order."""
        if foreign := foreign_costs(self.projection, self.lang):
            yield Paragraph(foreign)
        yield Paragraph(self.going())
        if self.paths.mixes:
            yield Paragraph(self.found())
        yield Picture("", figure.sentence, figure)
        yield self.table()
        if self.paths.mixes:
            yield Paragraph(self.say("brief.no_money")) if bars is None else Picture("", bars.sentence, bars)
            yield Heading(self.say("brief.around", year=self.last))
            yield Bullets([self.gains(mix) for mix in self.paths.mixes])
        yield Heading(self.say("brief.sure"))
        yield Bullets(list(self.sure()))
        if self.paths.mixes and self.paths.draws > 1:
            yield Heading(self.say("brief.change_answer"))
            yield Bullets(list(self.changing()))
        yield Paragraph(self.stamp(date))

    def say(self, key: str, **values: object) -> str:
        """Text of a key in the language of the page."""
        return say(key, self.lang, **values)

    def label(self, scenario: str) -> str:
        """Printed name of a scenario."""
        return label_of(self.projection, None, scenario, self.lang)

    def going(self) -> str:
        """Sentence on the outlook without policy."""
        paths = self.paths
        before = paths.level(paths.ground, self.projection.origin).middle
        after = paths.level(paths.ground, self.last)
        start, end = (paths.levels.sel(scenario=paths.ground).isel(year=at).to_numpy() for at in (0, -1))
        improved = percent(float((paths.better * (end - start) > 0).mean()))
        share = self.say(f"brief.share_{paths.measure}", share=improved) if paths.draws > 1 else ""
        basis = "forecast" if self.projection.provenance.get("baseline") else "model"
        if is_assumed(self.projection, paths.ground):
            basis = "assumed"
        return self.say(
            f"brief.going_{paths.measure}",
            how=self.say(f"brief.how_{basis}"),
            name=self.name,
            origin=self.projection.origin,
            year=self.last,
            before=written(before, 1),
            after=written(after.middle, 1),
            range=self._range(after),
            share=share,
        )

    def found(self) -> str:
        """Sentence on the effect of each mix, the largest first."""
        changes = {mix: self.paths.changes(mix, self.last) for mix in self.paths.mixes}
        order = sorted(changes, key=lambda mix: -float(np.median(changes[mix])))
        parts = []
        for mix in order:
            change = told(changes[mix])
            number = written(change.middle, 2, signed=True)
            parts.append(self.say("brief.change", policy=self.label(mix), change=number, range=self._range(change, 2)))
        found = f"brief.found_{self.paths.measure}"
        return self.say(found, year=self.last, parts=self.say("report.clauses").join(parts))

    def table(self) -> TextTable:
        """Table of levels and changes in selected years."""
        paths = self.paths
        header = [self.say("report.policy")]
        for year in paths.years:
            header.append(self.say(f"brief.column_{paths.measure}", year=year))
            header += [self.say(f"brief.column_change_{paths.measure}", year=year)] if paths.mixes else []
        rows = []
        for name in (paths.ground, *paths.mixes):
            row = [self.label(name)]
            for year in paths.years:
                row.append(self.cell(paths.level(name, year), 1))
                if paths.mixes:
                    row.append(
                        self.cell(told(paths.changes(name, year)), 2, signed=True) if name in paths.mixes else "–"
                    )
            rows.append(row)
        note = "brief.table" if paths.draws > 1 else "brief.table_single"
        return TextTable(header=header, rows=rows, caption=self.say(note, draws=paths.draws))

    def gains(self, mix: str) -> str:
        """Sentence on the regions that gain and lose under a mix."""
        found = around(self.projection, self.place, mix)
        names = [str(name) for name in self.projection.data[f"name_{self.lang}"].to_numpy()]
        order = np.argsort(-found.regions, kind="stable")
        changed = [
            self.say("brief.of_region", name=names[at], change=written(float(found.regions[at]), 1, signed=True))
            for at in order
        ]
        most = self.say("report.list").join(changed[:_GAINERS])
        losing = [
            text for at, text in zip(order[::-1], changed[::-1], strict=True) if found.regions[at] < -LEAST_CHANGE
        ]
        rank = self.say("brief.rank", rank=found.rank, count=len(names)) if found.rank else ""
        return self.say(
            "brief.gains" if losing else "brief.gains_all",
            policy=self.label(mix),
            name=self.name,
            own=written(found.own.middle, 1, signed=True),
            range=self._range(found.own),
            rank=rank,
            most=most,
            losing=some_of(losing, self.lang),
            count=len(losing),
        )

    def sure(self) -> Iterator[str]:
        """Sentences on the uncertainty and the basis of the results."""
        paths = self.paths
        yield self.say("brief.single" if paths.draws < 2 else "brief.draws", draws=paths.draws)
        left = [self.label(name) for name in self.projection.policies if name not in paths.mixes]
        if left:
            yield self.say("brief.left_out", names=some_of(left, self.lang))
        yield from rests(self.projection, None, self.lang)

    def changing(self) -> Iterator[str]:
        """Sentences on the mix that is best most often, and on the parameters on which this depends."""
        paths = self.paths
        changes = np.stack([paths.changes(mix, self.last) for mix in paths.mixes])
        firsts = np.bincount(changes.argmax(axis=0), minlength=len(paths.mixes)) / paths.draws
        best = int(firsts.argmax())
        policy = self.label(paths.mixes[best])
        if len(paths.mixes) > 1:
            holds = changes.argmax(axis=0) == best
            yield self.say("brief.first", policy=policy, share=percent(float(firsts[best])), name=self.name)
        else:
            holds = changes[best] > 0
            yield self.say("brief.helps", policy=policy, share=percent(float(holds.mean())), name=self.name)
        if self.projection.parameters is None:
            yield self.say("brief.no_parameters")
            return
        if paths.draws < LEAST_DRAWS:
            yield self.say("brief.few_draws", draws=paths.draws, least=LEAST_DRAWS)
            return
        found = causes(self.projection.parameters, holds)
        for cause in found:
            named = meaning_of(self.projection, cause.parameter, self.lang)
            yield self.say("brief.cause", meaning=named, low=percent(cause.low), high=percent(cause.high))
        if not found:
            yield self.say("brief.no_cause")

    def stamp(self, date: datetime.date) -> str:
        """Versions, hashes and settings to cite."""
        record, history = self.projection.provenance, self.projection.history
        title = panel_title(str(record["panel"]["name"]), self.lang)
        return self.say(
            "brief.stamp",
            version=record["versions"]["gapsim"],
            panel=title,
            count=history.sizes["region"],
            first=int(history["year"][0]),
            last=int(history["year"][-1]),
            hash=record["panel"]["sha256"][:8],
            date=date.isoformat(),
            seed=record["settings"]["seed"],
            draws=self.paths.draws,
            model=record["simulation"]["model"],
            model_hash=record["simulation"]["model_sha256"][:8],
        )

    def cell(self, found: Told, digits: int, *, signed: bool = False) -> str:
        """A number with its interval, for a cell of a table."""
        middle = written(found.middle, digits, signed=signed)
        if found.low is None or found.high is None:
            return middle
        return self.say("report.cell", middle=middle, range=interval(found.low, found.high, digits))

    def _range(self, found: Told, digits: int = 1) -> str:
        if found.low is None or found.high is None:
            return ""
        return self.say("report.interval", range=interval(found.low, found.high, digits))
