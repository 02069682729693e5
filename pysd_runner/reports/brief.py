"""A brief: one page on the outlook of a region, a class, the nation or a model, and the effects of policy mixes."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import frozen
from pysd_runner.export import write_bytes_whole
from pysd_runner.model import load_model
from pysd_runner.policy.studies import policy_of
from pysd_runner.reports.brief_paths import (
    ENDS,
    LEAST_CHANGE,
    NARROW,
    WIDE,
    Estimate,
    Sentences,
    around,
    chart_of,
    check_scenarios,
    paths_of,
    place_of,
)
from pysd_runner.reports.document import (
    Bullets,
    Cell,
    Folded,
    Lead,
    Link,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    titled,
    to_html,
)
from pysd_runner.reports.evidence import LEAST_DRAWS, meaning_of, noticed, rests
from pysd_runner.reports.figures import of_scenarios
from pysd_runner.reports.headline import currency_of, large, some_of
from pysd_runner.reports.panels import Area
from pysd_runner.reports.results import changes_of
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import inputs_of
from pysd_runner.study.loops import loops
from pysd_runner.study.showing import BETWEEN, answer_of, first_outcome
from pysd_runner.text import LANGUAGES, panel_title, translate

if TYPE_CHECKING:
    import xarray as xr

    from pysd_runner.plots import ReportFigure
    from pysd_runner.reports.replay import Inputs

FORMATS = ("html", "docx", "xlsx")
# Maximum number of mixes whose lines can be distinguished in one figure.
MOST_MIXES = 5
_GAINERS = 3
# Number of mixes in the table: those of the chart, and those that do most.
_RANKED = 6
# Least money a head that is written without decimals.
_WHOLE = 10


@frozen(repr=False)
class Brief:
    """One page on a region, a class or the nation, or on the results of a model without regions.

    Attributes
    ----------
    place
        The region, class, nation or model described.
    document
        The parts of the page, in order.
    figure
        The chart on the page, with its data.
    mixes
        The scenarios compared.
    numbers
        The numbers on the page, a row for each line and time.
    lang
        Language of the page.
    """

    place: Area
    document: ReportDocument
    figure: "ReportFigure"
    mixes: Sequence[str]
    numbers: "pd.DataFrame"
    lang: str

    @property
    def lead(self) -> Sequence[str]:
        """The answer in at most three sentences."""
        return next(part.sentences for part in self.document.parts if isinstance(part, Lead))

    def __repr__(self) -> str:
        return f"<Brief on {self.place.names[self.lang]!r}: {', '.join(self.mixes) or 'no policy'}>"

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
        parts = [*self.document.parts, Link(translate("brief.explorer", self.lang), file)]
        return replace(self, document=replace(self.document, parts=parts))

    def with_loops(self, inputs: "Inputs", record: Mapping[str, Any]) -> "Brief":
        """A copy that says which named feedback loop moves output per head of the region most, if there is one.

        Parameters
        ----------
        inputs
            Inputs of the projection, as `project_asked` and `read_inputs` return them.
        record
            Provenance of the projection.
        """
        if self.place.kind != "region" or inputs.panel is None:
            return self
        model = load_model(str(record["simulation"]["model"]), regions=len(inputs.panel.regions))
        settings = {name: value for name, value in record["settings"].items() if value is not None} | {"draws": 1}
        one = inputs_of(model, inputs.panel, inputs.fitted, baseline=inputs.baseline, **settings)
        focus, of = {model.design.ranges.region: self.place.code}, model.bindings.variables.output_per_head
        found = loops(one, policy_of(one, "baseline"), focus=focus, of=of, find="named")
        if not found.paths:
            return self
        first = next(iter(found.paths))
        told = translate(
            "brief.loops",
            self.lang,
            name=self.place.names[self.lang],
            loop=found.label(first, self.lang),
            counted=found.counted,
            share=percent(float(found.table()["share"].iloc[0])),
            held=percent(found.held),
        )
        # Among the details, which a page of paper leaves out.
        parts = [
            replace(part, parts=[Paragraph(told), *part.parts]) if isinstance(part, Folded) else part
            for part in self.document.parts
        ]
        return replace(self, document=replace(self.document, parts=parts))

    def _content(self, ending: str) -> bytes:
        if ending == "html":
            return to_html(self.document, Path()).encode("utf-8")
        if ending == "docx":
            from pysd_runner.reports.document import to_docx

            return to_docx(self.document)
        from pysd_runner.reports.brief_workbook import to_workbook

        return to_workbook(self.document, self.numbers, self.lang)

    def _repr_html_(self) -> str:
        """Show the answer and the chart in a notebook."""
        import html

        return f"<p>{html.escape(' '.join(self.lead))}</p>{self.figure._repr_html_()}"


def brief(
    projection: Future,
    region: str = "",
    *,
    mixes: Sequence[str] = (),
    lang: str = "en",
    date: datetime.date | None = None,
) -> Brief:
    """Write one page on the outlook of a region, or of a model without regions, and the effects of policy mixes.

    Parameters
    ----------
    projection
        Result of `project` or `load_future`.
    region
        Name of a region in English or Chinese, its code, a class of regions, or ``"nation"``; empty for the nation,
        or for results without regions.
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
    place, chosen = place_of(projection, region), _chosen(projection, mixes)
    day = date or datetime.date.today()
    if place.kind == "model":
        return _of_outcome(projection, place, chosen, lang, day)
    return _of_place(projection, place, chosen, mixes and chosen, lang, day)


def _of_place(
    projection: Future, place: Area, chosen: Sequence[str], mixes: Sequence[str], lang: str, date: datetime.date
) -> Brief:
    """A brief on a region, a class or the nation."""
    paths = paths_of(projection, place, chosen)
    year = int(projection.data["year"][-1])
    figure, narrow = (chart_of(projection, place, chosen, lang=lang, width=width) for width in (WIDE, NARROW))
    writer = _Writer(projection, place, paths, lang, mixes)
    document = ReportDocument(
        title=translate("brief.title", lang, name=place.names[lang][:1].upper() + place.names[lang][1:], year=year),
        lang=lang,
        parts=list(writer.parts(Picture("", figure.sentence, figure, narrow), date)),
        one_page=True,
    )
    numbers = figure.data.rename(columns={"year": "time"})
    return Brief(place=place, document=document, figure=figure, mixes=chosen, numbers=numbers, lang=lang)


def _of_outcome(projection: Future, place: Area, chosen: Sequence[str], lang: str, date: datetime.date) -> Brief:
    """A brief on the outcome of the sentences on results without regions."""
    future = of_scenarios(projection, chosen)
    name = first_outcome(future)
    figures = [future.plot(name, difference=item, lang=lang) for item in (True, False)[not chosen :]]
    first, *more = [Picture("", figure.sentence, figure) for figure in figures]
    panel = projection.provenance["panel"]
    data = translate("brief.stamp data", lang, name=panel["name"], hash=panel["sha256"][:8]) if panel else ""
    notes = Bullets(noticed(projection, projection.warnings, lang))
    parts = [
        Lead(list(answer_of(future, lang))),
        first,
        Bullets(list(future.sentences(lang))),
        *changes_of(future, lang),
        Folded(translate("answer.details", lang), [*more, notes, Paragraph(_stamp(projection, data, date, lang))]),
    ]
    title = translate("own.title", lang, scenarios=name, model=projection.model)
    document = ReportDocument(title=title, lang=lang, parts=parts, one_page=True)
    numbers = _numbers(future, name, lang)
    return Brief(place=place, document=document, figure=figures[0], mixes=chosen, numbers=numbers, lang=lang)


def _stamp(projection: Future, data: str, date: datetime.date, lang: str) -> str:
    """Versions, hashes and settings to cite."""
    record = projection.provenance
    return translate(
        "brief.stamp",
        lang,
        version=record["versions"]["gapsim"],
        data=data,
        model=record["simulation"]["model"],
        model_hash=record["simulation"]["model_sha256"][:8],
        seed=record["settings"]["seed"],
        draws=projection.data.sizes["draw"],
        date=date.isoformat(),
    )


def _numbers(future: Future, name: str, lang: str) -> pd.DataFrame:
    """Levels, changes by scenarios and what was observed of an outcome, a row for each line and time."""
    lines = {"level": future[name]}
    lines |= {"change": future.difference(name)} if future.policies else {}
    parts = []
    for kind, values in lines.items():
        found = values.quantile(list(ENDS), dim="draw").to_dataset("quantile").to_dataframe()[list(ENDS)]
        found = found.set_axis(["low", "median", "high"], axis=1).rename_axis(index={future.axis: "time"})
        parts.append(found.reset_index().assign(kind=kind))
    labels = {item: future.label(item, lang) for item in future.scenarios}
    every = pd.concat(parts).replace({"scenario": labels})
    elements = every.drop(columns=["time", "low", "median", "high", "kind"]).astype(str)
    every["name"] = elements.agg(BETWEEN.join, axis=1)
    every["line"] = every["name"].replace(labels[future.scenarios[0]], "baseline")
    seen = future.seen_of(name)
    if isinstance(seen, pd.Series):
        past = seen[seen.index.isin(every["time"])].rename_axis("time").rename("median").reset_index()
        past = past.assign(line="history", name=translate("mark.history", lang), kind="observed")
        every = pd.concat([past, every])
    return every.assign(unit=str(future[name].attrs.get("units", "")))


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


class _Writer(Sentences):
    """Writes the parts of a brief."""

    def parts(self, picture: Picture, date: datetime.date) -> Iterator[Part]:
        """Parts of the page below the title, in order."""
        yield Lead(list(self.answer()))
        yield picture
        if self.order:
            yield self.compared()
            yield from titled(self.say("brief.recommended", name=self.name), Bullets(list(self.recommended())))
            yield Paragraph(self.say("brief.no_money")) if self.money is None else self.spending(self.money)
        yield Folded(self.say("brief.details"), [*self.details(), Paragraph(self.stamp(date))])

    def details(self) -> Iterator[Part]:
        """Parts for readers who want to know more."""
        yield self.levels()
        yield from titled(self.say("brief.around", year=self.last), Bullets(list(map(self.gains, self.order))))
        yield from titled(self.say("brief.sure"), Bullets(list(self.sure())))
        yield from titled(self.say("brief.change_answer"), Bullets(list(self.changing())))

    def compared(self) -> TextTable:
        """Table of the mixes, the best first: what each changes here and in the nation."""
        is_nation, has_gap = self.place.kind == "nation", "laggard_gap" in self.projection.data
        delta = written(self.found.delta, 2)
        change = self.say(f"brief.column_change_{self.paths.measure}", year=self.last)
        header = [self.say("report.policy"), self.say("brief.column_mean"), change]
        header += [self.say("brief.column_own"), self.say("brief.column_often"), self.say("report.within", delta=delta)]
        header += [] if is_nation or not has_gap else [self.say("brief.column_nation")]
        table = self.found.table.sort_values("mean", ascending=False, kind="stable")
        others = [mix for mix in table.index if mix not in self.order][: _RANKED - len(self.order)]
        shown = table[table.index.isin([*self.order, *others])]
        digits, rows = 1 if is_nation else 2, []
        for mix, found in shown.to_dict("index").items():
            row: list[Any] = [self.label(str(mix)) + (self.say("report.levels down") if found["own"] < 0 else "")]
            row.append(Cell(written(found["mean"], digits, signed=True), found["mean"]))
            ends = {} if self.paths.draws == 1 else {"low": found["p05"], "high": found["p95"]}
            row.append(self.cell(Estimate(middle=found["median"], **ends), digits, signed=True))
            row.append(Cell(written(found["own"], 1, signed=True), found["own"]))
            for key in ("positive", "within"):
                share = Cell(self.say("brief.share", value=percent(found[key])), 100 * found[key])
                row.append(share if self.paths.draws > 1 else "–")
            if len(header) > len(row):
                row.append(self.cell(Estimate(middle=float(self.national.table["mean"][str(mix)])), 1, signed=True))
            rows.append(row)
        left = len(table) - len(shown)
        if left:
            rows.append([self.say("brief.more_mixes", count=left), *[""] * (len(header) - 1)])
        caption = self.say("brief.compared", name=self.name, year=self.last)
        return TextTable(header=header, rows=rows, caption=caption, inside=self.ends)

    @property
    def ends(self) -> tuple[str, ...]:
        """Names of the numbers of an interval."""
        return ("", self.say("brief.end_low"), self.say("brief.end_high"))

    def spending(self, money: "xr.DataArray") -> TextTable:
        """Table of the money in the first year by lever: total, and a head."""
        totals = money.sum("lever").to_numpy()
        size, unit = large(float(totals[:, 0].max()), currency_of(self.projection, self.lang), self.lang)
        digits = 0 if totals[:, 1].max() >= _WHOLE else 2
        head = self.say("brief.a_head", money=currency_of(self.projection, self.lang))
        names = [self.levers[str(lever)] for lever in money["lever"].to_numpy()]
        every = zip([*names, self.say("brief.total")], [*money.transpose("lever", ...).to_numpy(), totals], strict=True)
        rows = [
            [name, *(self.spent(total, each, size, digits) for total, each in part.tolist())] for name, part in every
        ]
        year = self.projection.origin + 1
        caption = self.say("brief.money", name=self.name, year=year, unit=unit, head=head)
        header = [self.say("brief.lever"), *(self.label(mix) for mix in self.order)]
        return TextTable(header=header, rows=rows, caption=caption, inside=(unit, head))

    def spent(self, total: float, head: float, size: float, digits: int) -> Cell:
        """Money of a lever, in total and a head, for a cell of a table."""
        text = self.say("report.cell", middle=written(total / size, 1), range=written(head, digits)) if total else "–"
        return Cell(text, total / size, head)

    def levels(self) -> TextTable:
        """Table of levels in selected years."""
        paths = self.paths
        header = [
            self.say("report.policy"),
            *(self.say(f"brief.column_{paths.measure}", year=at) for at in paths.years),
        ]
        rows = [
            [self.label(name), *(self.cell(paths.level(name, year), 1) for year in paths.years)]
            for name in (paths.ground, *self.order)
        ]
        note = "brief.table" if paths.draws > 1 else "brief.table_single"
        return TextTable(header=header, rows=rows, caption=self.say(note, draws=paths.draws), inside=self.ends)

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
        """Sentences on how often the mix helps, and on the parameters on which this depends."""
        if not self.order or self.paths.draws < 2:
            return
        key, holds = self.doubtful
        words = {"policy": self.label(self.found.leading), "name": self.name, "share": percent(float(holds.mean()))}
        yield self.say(key, **words, delta=written(self.found.delta, 2))
        for cause in self.causes:
            named = meaning_of(self.projection, cause.parameter, self.lang)
            yield self.say("brief.cause", meaning=named, low=percent(cause.low), high=percent(cause.high))
        if self.projection.parameters is None:
            yield self.say("brief.no_parameters")
        elif self.paths.draws < LEAST_DRAWS:
            yield self.say("brief.few_draws", draws=self.paths.draws, least=LEAST_DRAWS)
        elif not self.causes:
            yield self.say("brief.no_cause")

    def stamp(self, date: datetime.date) -> str:
        """Versions, hashes and settings to cite."""
        panel, history = self.projection.provenance["panel"], self.projection.history
        data = self.say(
            "brief.stamp panel",
            panel=panel_title(str(panel["name"]), self.lang),
            count=history.sizes["region"],
            first=int(history["year"][0]),
            last=int(history["year"][-1]),
            hash=panel["sha256"][:8],
        )
        return _stamp(self.projection, data, date, self.lang)

    def cell(self, found: Estimate, digits: int, *, signed: bool = False) -> Cell:
        """A number with its interval, for a cell of a table."""
        middle = written(found.middle, digits, signed=signed)
        if found.low is None or found.high is None:
            return Cell(middle, found.middle)
        # Kept together, so that a narrow cell breaks before the bracket.
        ends = interval(found.low, found.high, digits).replace(" ", "\N{NO-BREAK SPACE}")
        text = self.say("report.cell", middle=middle, range=ends)
        return Cell(text, found.middle, found.low, found.high)

    def _range(self, found: Estimate, digits: int = 1) -> str:
        if found.low is None or found.high is None:
            return ""
        return self.say("report.interval", range=interval(found.low, found.high, digits))
