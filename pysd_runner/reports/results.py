"""Results on the screen and as a folder: projection, tables, figures, summary, and the inputs for a replay."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pysd_runner.core.calendar import said_time
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.numbers import interval, percent, written
from pysd_runner.core.types import frozen
from pysd_runner.export import save_csv
from pysd_runner.export.records import read_record, write_record
from pysd_runner.indicators.events import scenario_chances
from pysd_runner.plots.arrays import position_of
from pysd_runner.plots.marks import largest
from pysd_runner.policy.dependence import Dependence
from pysd_runner.policy.effects import HEADLINE, OWN
from pysd_runner.policy.ranking import LEAST_FIRST, Answer, Ranking, first_error, first_shares
from pysd_runner.reports.depends import dependence_of, dependence_parts
from pysd_runner.reports.document import (
    FEW_REGIONS,
    FIGURES,
    MOST_REGIONS,
    Bullets,
    Folded,
    Heading,
    Lead,
    Listing,
    Paragraph,
    Part,
    Picture,
    ReportDocument,
    TextTable,
    aligned,
    filled,
    of_record,
    save_document,
    saved_picture,
    screen_of,
    titled,
    to_record,
)
from pysd_runner.reports.evidence import certainty_lines, declarations_of, evidence_lines, noticed
from pysd_runner.reports.figures import figure_jobs
from pysd_runner.reports.headline import (
    any_of,
    case_label,
    definition_label,
    headline_lines,
    label_of,
    range_of,
    three_sentences,
)
from pysd_runner.reports.learning import learning_parts
from pysd_runner.reports.ordering import order_parts
from pysd_runner.reports.replay import Inputs
from pysd_runner.scenarios.crossing import WHO
from pysd_runner.scenarios.scenario import BASELINE
from pysd_runner.study.future import Future
from pysd_runner.study.labelling import completed, headline
from pysd_runner.text import LANGUAGES, name_in, panel_title, translate

PAGES = ("summary.html", "summary.md", "summary.json")
CONTENTS = (
    *PAGES,
    "summary.csv",
    "ranking.csv",
    "hangs_on.csv",
    "levels.csv",
    "events.csv",
    "end.csv",
    "quantiles.csv",
    "below_baseline.csv",
    "regional_effects.csv",
    "projection.nc",
    "compared.nc",
    "history.nc",
    "parameters.nc",
    "observed.csv",
    "data.json",
    "fitted.json",
    "fitted_before.json",
    "baseline.nc",
    "run.json",
)
# Maximum number of figures that are visible on a page at once.
MOST_FIGURES = 8
# File of the summary in both languages, its schema, and the remedy if it cannot be read.
SUMMARY, SCHEMA = "summary.json", 1
REMEDY = Message("run the scenarios again")
QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
NATIONAL = ("national_gap", "theil", "sigma")


@frozen
class Results:
    """Results that were written to a folder."""

    folder: Path
    figures: tuple[str, ...]  # names of the figures, without extension
    events: pd.DataFrame | None = None  # share of the draws with each event under each scenario


def write_results(
    projection: Future,
    folder: str | Path,
    *,
    inputs: Inputs,
    answer: Answer | None = None,
    scenarios: Sequence[str] = (),
    lang: str = "en",
    progress: Callable[[int], None] | None = None,
    finished: Callable[[str], None] | None = None,
) -> Results:
    """Write the data, tables, figures and summary of a projection into a folder."""
    folder = Path(folder)
    shares = event_shares(projection, inputs)
    before = set(folder.iterdir()) if folder.is_dir() else set()
    # Tables and figures are made from the stored, rounded numbers, so that they can be reproduced from the folder.
    depends = dependence_of(projection, answer, inputs.fitted)
    said = {item: three_sentences(projection, answer, lang=item) for item in LANGUAGES}
    projection = dataclasses.replace(
        projection,
        provenance={**projection.provenance, "answer": said},
        compared=None if answer is None else labelled_effects(projection, answer),
    )
    projection = save_with_inputs(projection, inputs, folder)
    _write_tables(projection, answer, folder, lang)
    if depends is not None:
        save_csv(depends.table().reset_index(), folder / "hangs_on.csv")
    if shares is not None:
        save_csv(shares.reset_index(), folder / "events.csv")
    jobs = figure_jobs(projection, scenarios=scenarios, regions=inputs.regions)
    told = (shares, depends, inputs.regions, folder)
    pages = {item: to_record(_page(projection, answer, *told, item)) for item in LANGUAGES}
    write_record(folder / SUMMARY, pages, schema=SCHEMA)
    save_summary(folder, lang, ())
    if finished is not None:
        for name in (*(path.name for path in set(folder.iterdir()) - before), FIGURES):
            finished(name)
    pictures: dict[str, Picture] = {}
    for name, draw in jobs:
        pictures[name] = saved_picture(draw(lang=lang), folder, name)
        if progress is not None:
            progress(1)
    save_summary(folder, lang, list(pictures.values()))
    return Results(folder=folder, figures=tuple(pictures), events=shares)


def save_summary(folder: Path, lang: str, pictures: Sequence[Picture]) -> None:
    """Write the summary page of a folder of results in one of the languages it is kept in, with its figures."""
    kept = read_record(folder / SUMMARY, schema=SCHEMA, what=Message("summary"), remedy=REMEDY)
    page = of_record(kept[lang])
    if pictures:
        after = [Heading(translate(f"report.{name}", lang)) for name in ("evidence", "warnings", "files")]
        at = next(place for place, part in enumerate(page.parts) if part in after)
        shown: list[Part] = [
            Heading(translate("report.figures", lang)),
            Paragraph(translate("report.figures note", lang)),
            *pictures[:MOST_FIGURES],
            *(
                [Folded(translate("report.more figures", lang), pictures[MOST_FIGURES:])]
                if pictures[MOST_FIGURES:]
                else ()
            ),
        ]
        page = dataclasses.replace(page, parts=[*page.parts[:at], *shown, *page.parts[at:]])
    save_document(page, folder, "summary")


def save_with_inputs(projection: Future, inputs: Inputs, folder: Path) -> Future:
    """Write a projection with its inputs, so that it can be replayed, and return the projection as stored."""
    folder.mkdir(parents=True, exist_ok=True)
    record = inputs.store(folder)
    kept = dataclasses.replace(
        projection,
        data=headline(projection.data, projection.design),
        provenance={**projection.provenance, "inputs": record},
    )
    kept.save(folder)
    return dataclasses.replace(kept, data=completed(kept.data))


def event_shares(projection: Future, inputs: Inputs) -> pd.DataFrame | None:
    """Probabilities of the requested events under each scenario; None if no event is requested."""
    if not inputs.events:
        return None
    forecast = None if inputs.baseline is None else inputs.baseline.paths
    return scenario_chances(projection.data, inputs.events, reference=BASELINE, forecast=forecast)


def _write_tables(projection: Future, answer: Answer | None, folder: Path, lang: str) -> None:
    if answer is not None:
        rankings = answer.comparisons.items()
        save_csv(_together({key: item.table() for key, item in rankings}), folder / "summary.csv")
        regional = _together({key: item.regions() for key, item in rankings})
        names = {lang: _places(projection, lang) for lang in LANGUAGES}
        named = {f"name_{lang}": regional["region"].map(found) for lang, found in names.items()}
        save_csv(regional.assign(**named), folder / "regional_effects.csv")
        cases = case_table(projection, answer, lang)
        save_csv(pd.DataFrame(cases.rows, columns=list(cases.header)), folder / "ranking.csv")
    for _ in projection.design.totals:
        save_csv(level_table(projection), folder / "levels.csv")
        if projection.policies:
            save_csv(_below(projection), folder / "below_baseline.csv")


def labelled_effects(projection: Future, answer: Answer) -> xr.Dataset:
    """Effects of all policies by draw, with the printed name of each policy."""
    names = list(answer.main.scenarios)
    labels = {f"label_{lang}": [label_of(projection, answer, name, lang) for name in names] for lang in LANGUAGES}
    return answer.main.compared.assign_coords({key: ("scenario", found) for key, found in labels.items()})


def _places(projection: Future, lang: str) -> dict[str, str]:
    """Printed names of the regions and classes, by code."""
    data = projection.data
    classes = {str(name): name_in(lang, "class", str(name)) for name in data["group"].to_numpy()}
    codes, names = (map(str, data[key].to_numpy()) for key in ("region", f"name_{lang}"))
    return classes | dict(zip(codes, names, strict=True))


def _together(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table of the rankings under all definitions."""
    whole = pd.concat(tables, names=["definition"]).reset_index()
    return whole if any(tables) else whole.drop(columns="definition")


def summarised(folder: Path, effects: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Effects in the summary of a folder of results, by policy and effect: quantiles as in `QUANTILES`."""
    file = folder / "summary.csv"
    if not file.is_file():
        return {}
    try:
        # If there are several definitions, the first is that of the fit.
        table = pd.read_csv(file).drop_duplicates("scenario").set_index("scenario")
        columns = {key: [f"{key}_{name}" for name in QUANTILES] for key in effects if f"{key}_p50" in table}
        found = {key: table[own].astype(float).dropna() for key, own in columns.items()}
    except (KeyError, ValueError) as error:
        raise InvalidInput(
            "{path} cannot be read: it is damaged; delete the file and start again", path=file
        ) from error
    return {
        str(name): {key: rows.loc[name].tolist() for key, rows in found.items() if name in rows.index}
        for name in table.index
    }


def figure_count(projection: Future, *, scenarios: Sequence[str] = ()) -> int:
    """Number of figures that `write_results` will draw."""
    return len(figure_jobs(projection, scenarios=scenarios))


def _below(projection: Future) -> pd.DataFrame:
    """Share of draws in which output per head ends below the path without policy, one row per region."""
    heads = projection.data["output_per_head"].isel(year=-1)
    frame = pd.DataFrame({name: heads[name].to_numpy() for name in ("region", "name_en", "name_zh")})
    for name in projection.policies:
        own, other = heads.sel(scenario=name), heads.sel(scenario=projection.baselines[name])
        frame[name] = np.asarray((own.drop_vars("scenario") < other.drop_vars("scenario")).mean("draw"))
    return frame


def _page(
    projection: Future,
    answer: Answer | None,
    shares: pd.DataFrame | None,
    depends: Dependence | None,
    told: Sequence[str],
    folder: Path,
    lang: str,
) -> ReportDocument:
    """Summary page of the folder: main results first, then the evidence and the list of files."""
    details = Bullets(headline_lines(projection, answer, lang=lang))
    parts: list[Part] = [Lead(projection.provenance["answer"][lang])]
    parts += [Folded(translate("answer.details", lang), [details])] if details.items else []
    parts += changes_of(projection, lang) if answer is None else _compared(projection, answer, lang)
    if depends is not None:
        parts += dependence_parts(projection, depends, label_of(projection, answer, depends.policy, lang), lang)
    if shares is not None:
        parts += [Heading(translate("report.events", lang)), event_table(projection, shares, lang)]
    parts += _behind(projection, lang)
    for key, lines in (("warnings", projection.warnings), ("inferred", projection.imputed)):
        parts += titled(translate(f"report.{key}", lang), Bullets(noticed(projection, lines, lang)))
    for _ in projection.design.totals:
        parts += _losers(projection, answer, told, lang) if projection.policies else ()
    present = [name for name in CONTENTS if name in PAGES or (folder / name).exists()]
    files = [f"`{name}`: {translate(f'report.file {name}', lang)}" for name in present]
    parts += titled(translate("report.files", lang), Bullets(files))
    return ReportDocument(
        title=translate(
            projection.design.title,
            lang,
            year=said_time(projection.data[projection.axis].to_numpy()[-1], projection.time_unit),
            panel=panel_title(str((projection.provenance["panel"] or {}).get("name", "")), lang),
            scenarios=", ".join(projection.label(name, lang) for name in projection.policies or projection.scenarios),
            model=projection.model,
        ),
        lang=lang,
        parts=[*parts, *(Paragraph(_made(projection, lang)) for _ in projection.design.totals)],
    )


def changes_of(projection: Future, lang: str) -> Iterator[Part]:
    """Section on the changes by the scenarios, if these are not ranked."""
    if projection.policies:
        yield Heading(translate("own.changes", lang))
    for scenario in projection.cast:
        if scenario.name in projection.policies:
            yield from (Paragraph(text) for text in (scenario.label[lang], scenario.note[lang]) if text)
            yield Bullets(list(scenario.describe(lang)))


def _compared(projection: Future, answer: Answer, lang: str) -> Iterator[Part]:
    """Tables that compare the policies, decompose the effect of the first, and show the ranking by assumption."""
    yield Heading(translate("report.table", lang, year=int(projection.data["year"][-1])))
    yield policy_table(projection, answer, lang)
    yield Paragraph(how_made(projection, answer, lang))
    yield from (Paragraph(line) for line in grouping_lines(answer.main, lang))
    if declarations_of(projection).aims:
        yield Heading(translate("report.aim", lang, year=int(projection.data["year"][-1])))
        if len(answer.main.scenarios) > 1:
            yield Paragraph(translate("report.best by", lang))
            yield Bullets(list(best_lines(projection, answer, lang)))
        yield aim_table(projection, answer, lang)
    split = split_table(projection, answer, projection.policies[0], lang)
    if split is not None:
        yield split
        if answer.main.scenarios[projection.policies[0]].policy.differentiation:
            yield Paragraph(translate("report.zoning untested", lang))
    if len(answer.main.scenarios) > 1 and answer.main.effects.sizes["draw"] > 1:
        yield Heading(translate("report.ranking", lang))
        yield case_table(projection, answer, lang)
    yield from learning_parts(projection, answer, lang)
    yield from order_parts(projection, answer, lang)


def _behind(projection: Future, lang: str) -> Iterator[Part]:
    """Section on how far the results of regions rest on data or on priors."""
    for _ in projection.design.totals:
        yield Heading(translate("report.evidence", lang))
        yield Bullets(evidence_lines(projection, lang=lang))
        fitted = projection.provenance.get("fitted")
        lines = [] if fitted is None else certainty_lines(fitted, declarations_of(projection), lang=lang)
        yield from [Listing("\n".join(lines))] if lines else ()


def _losers(projection: Future, answer: Answer | None, told: Sequence[str], lang: str) -> Iterator[Part]:
    """Table of how often each region loses; of many regions, only those requested and those that lose most often."""
    frame, count = _below(projection), projection.data.sizes["region"]
    policies = list(projection.policies)
    yield Heading(translate("report.below", lang))
    if count > MOST_REGIONS:
        first = [position_of(projection.data["output_per_head"], "region", name) for name in told]
        frame = frame.iloc[largest(frame[policies].max(axis=1).to_numpy(), FEW_REGIONS, first)]
        yield Paragraph(translate("report.below_some", lang, shown=len(frame), all=count))
    yield TextTable(
        header=[translate("report.region", lang), *(label_of(projection, answer, name, lang) for name in policies)],
        rows=[
            [str(row[f"name_{lang}"]), *(f"{percent(row[name])} %" for name in policies)]
            for row in frame.to_dict("records")
        ],
    )


def _made(projection: Future, lang: str) -> str:
    """Model, panel, seed, draws and version of the results, in one line."""
    record: dict[str, Any] = dict(projection.provenance)
    return translate(
        "report.model",
        lang,
        name=record["simulation"]["model"],
        hash=record["simulation"]["model_sha256"][:12],
        panel=panel_title(record["panel"]["name"], lang),
        panel_hash=record["panel"]["sha256"][:12],
        seed=record["settings"]["seed"],
        draws=record["settings"]["draws"],
        version=record["versions"]["gapsim"],
    )


def level_table(projection: Future) -> pd.DataFrame:
    """Table of the initial level, the final level and the change, with intervals."""
    rows = [
        {"scenario": scenario, **row}
        for scenario in projection.scenarios
        for row in _rows(projection.data.sel(scenario=scenario))
    ]
    return pd.DataFrame(rows)


def _rows(data: xr.Dataset) -> Iterator[dict[str, object]]:
    for name in NATIONAL:
        if name in data:
            yield _row(data[name], name, "")
    if "class_gap" in data:
        for group in data["class"].to_numpy():
            yield _row(data["class_gap"].sel({"class": group}), "class_gap", str(group))


def _row(values: xr.DataArray, name: str, group: str) -> dict[str, object]:
    path = values.transpose("draw", "year").to_numpy()
    start, end = path[:, 0], path[:, -1]
    levels = {f"end_{key}": float(np.quantile(end, share)) for key, share in QUANTILES.items()}
    changes = {f"change_{key}": float(np.quantile(end - start, share)) for key, share in QUANTILES.items()}
    return {
        "variable": name,
        "class": group,
        "year": int(values["year"][-1]),
        "start": float(np.median(start)),
        **levels,
        **changes,
        "probability_falls": float((end < start).mean()),
    }


# Maximum number of policies shown; a file contains all.
MOST_ROWS = 8


def overview(projection: Future, answer: Answer | None, *, lang: str = "en") -> list[str]:
    """Main results of a projection on one screen: a few sentences, then a table that compares the policies."""
    texts = three_sentences(projection, answer, lang=lang)
    if answer is None:
        sentences = projection.sentences(lang)
        return [*screen_of(texts), *[""] * bool(sentences), *sentences]
    table = policy_table(projection, answer, lang, is_short=True)
    return [*screen_of(texts, table), "", *filled(how_made(projection, answer, lang))]


def how_made(projection: Future, answer: Answer, lang: str) -> str:
    """Note on the numbers in the table, and on the Monte Carlo error of the first policy's interval."""
    main, name = answer.main, projection.policies[0]
    draws = main.effects.sizes["draw"]
    if draws == 1:
        return translate("report.how single", lang)
    row = main.table().loc[name].to_dict()
    errors = {key: written(row[f"{HEADLINE}_{end}_error"], 2) for key, end in (("low", "p05"), ("high", "p95"))}
    return translate("report.how", lang, draws=draws) + translate(
        "report.precision",
        lang,
        policy=label_of(projection, answer, name, lang),
        size=written(row[f"{HEADLINE}_ess_tail"]),
        **errors,
    )


def event_table(projection: Future, shares: pd.DataFrame, lang: str) -> TextTable:
    """Table of the probabilities of events under each scenario."""
    rows = [
        [str(event), *("–" if np.isnan(share) else _percent(share) for share in row)]
        for event, row in shares.iterrows()
    ]
    labels = (label_of(projection, None, str(name), lang) for name in shares)
    return TextTable(header=[translate("report.event", lang), *labels], rows=rows)


def event_lines(projection: Future, shares: pd.DataFrame, lang: str) -> list[str]:
    """Probabilities of events under each scenario, for the screen: one block per event."""
    table = event_table(projection, shares, lang)
    lines = ["", *filled(translate("report.events", lang))]
    for event, *cells in table.rows:
        lines += ["", event, *aligned([list(pair) for pair in zip(table.header[1:], cells, strict=True)])]
    return lines


def _shown(projection: Future, answer: Answer) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All policies in the order of the gap closed, and those of them that are shown."""
    whole = answer.main.table().sort_values(f"{HEADLINE}_mean", ascending=False, kind="stable")
    rest = whole.index.drop(projection.policies[0])[: MOST_ROWS - 1]
    return whole, whole[whole.index.isin([projection.policies[0], *rest])]


def grouping_lines(main: Ranking, lang: str) -> Iterator[str]:
    """Sentence on each further grouping of the regions: how far its richest group is ahead, and what policies close."""
    start = main.start
    by_need = [name for name, item in main.scenarios.items() if item.policy.redistribution == WHO["by_need"][0]]
    for name in start.groupings:
        closed = main.effects[f"{name}_gap_closed"].median("draw").to_series()[by_need or list(main.scenarios)]
        ahead, behind = (name_in(lang, "class", group) for group in start.ends(name))
        points = (start.log_ratio(name, start.output, start.population), main.effects[f"{name}_gap"].median())
        today, later = (written(100 * np.expm1(float(gap) / 100)) for gap in points)
        yield translate(
            "report.grouping need" if by_need else "report.grouping all",
            lang,
            ahead=ahead,
            behind=behind,
            today=today,
            year=main.year,
            later=later,
            gap=written(float(points[1]), 1),
            count=len(closed),
            range=interval(closed.min(), closed.max(), 1),
        )


def aim_table(projection: Future, answer: Answer, lang: str) -> TextTable:
    """Table of the policies that are shown by the outcomes of each part of the aim, and how often all parts improve."""
    spec = declarations_of(projection)
    parts, titles = [], {HEADLINE: translate("report.gap median", lang)}
    for aim in spec.aims.values():
        name = getattr(aim, lang)
        parts.append(name if aim.outcomes else translate("report.aim nothing", lang, part=name))
        for item in filter(None, map(spec.regional_outcomes.get, aim.outcomes)):
            unit = item.unit_zh if lang == "zh" else item.unit
            titles[item.key] = translate("report.aim column", lang, outcome=getattr(item, lang), unit=unit)
    rows = [
        [
            label_of(projection, answer, str(name), lang),
            *(_cell(row, key, 1, lang) for key in titles),
            _percent(row["share_all_parts"]),
        ]
        for name, row in _shown(projection, answer)[1].to_dict("index").items()
    ]
    return TextTable(
        header=[translate("report.policy", lang), *titles.values(), translate("report.all parts", lang)],
        rows=rows,
        caption=translate("report.aim parts", lang, parts=translate("list.separator", lang).join(parts)),
    )


def best_lines(projection: Future, answer: Answer, lang: str) -> Iterator[str]:
    """The policies that do as much as any by each outcome of the aim, own output and present value; see `select`."""
    spec = declarations_of(projection)
    aimed = [key for aim in spec.aims.values() for key in aim.outcomes]
    for key in filter(answer.main.effects.__contains__, [*aimed, OWN, "benefit_cost_present"]):
        item = spec.regional_outcomes.get(key)
        names = answer.main.select(effect=key).members
        yield translate(
            "report.best by_line",
            lang,
            outcome=getattr(item, lang) if item else name_in(lang, "policy_outcome", key),
            policies=any_of(projection, answer, names, lang) if names else translate("report.best by_none", lang),
        )


def policy_table(projection: Future, answer: Answer, lang: str, *, is_short: bool = False) -> TextTable:
    """Table of the most effective policies and the first requested; a file has all policies and effects."""
    whole, table = _shown(projection, answer)
    columns = {HEADLINE: translate("report.closed", lang)}
    # A screen has room for what decides the choice; the page has the rest.
    others = {OWN: "own output", "output_change": "output", "benefit_cost_present": "benefit present"}
    columns |= {} if is_short else {key: translate(f"report.{title}", lang) for key, title in others.items()}
    columns = {key: title for key, title in columns.items() if f"{key}_p50" in whole}
    comparisons = {} if is_short else answer.comparisons
    firsts = [
        translate("report.first in under", lang, definition=definition_label(projection, key, lang))
        if key
        else translate("report.first in", lang)
        for key in comparisons
    ]
    rows = [
        [
            label_of(projection, answer, str(name), lang)
            + (translate("report.levels down", lang) if row["levels_down"] else ""),
            written(row[f"{HEADLINE}_mean"], 1),
            *(_cell(row, key, 1, lang) for key in columns),
            _percent(row["within"]),
            translate("policy.yes" if row["keeps_constraints"] else "policy.no", lang),
            *(_first_cell(item.effects[HEADLINE], str(name)) for item in comparisons.values()),
        ]
        for name, row in table.to_dict("index").items()
    ]
    header = [
        translate("report.policy", lang),
        translate("report.gap column" if is_short else "report.mean", lang),
        *columns.values(),
        translate("report.within", lang, delta=written(answer.main.chosen.delta, 2)),
        translate("report.keeps short" if is_short else "report.keeps", lang),
        *firsts,
    ]
    if len(table) < len(whole):
        more = translate("report.more policies", lang, count=len(whole) - len(table))
        rows.append([more, *[""] * (len(header) - 1)])
    return TextTable(header=header, rows=rows)


def case_table(projection: Future, answer: Answer, lang: str) -> TextTable:
    """Table, by assumption, of the policies that rank first in most draws, and the effect of the first of them."""
    cases = {
        definition_label(projection, key, lang) if key else translate("report.case main", lang): item.effects[HEADLINE]
        for key, item in answer.comparisons.items()
    }
    cases |= {case_label(*case, lang): values for case, values in answer.main.cases.items()}
    if answer.before is not None:
        cases[translate("report.case before", lang)] = answer.before.effects[HEADLINE]
    rows = []
    for title, values in cases.items():
        ahead = [str(name) for name in first_shares(values).index[:2]]
        best = [f"{label_of(projection, answer, name, lang)}, {_first_cell(values, name)}" for name in ahead]
        closed = written(float(values.sel(scenario=ahead[0]).median()), 1)
        sizes = [str(values.sizes[dim]) for dim in ("draw", "scenario")]
        rows.append([title, *sizes, *best, *[""] * (2 - len(best)), closed])
    header = [
        translate(f"report.{key}", lang) for key in ("assumed", "draws", "compared", "best", "second", "best closes")
    ]
    fewer = min(values.sizes["scenario"] for values in cases.values()) < len(answer.main.scenarios)
    caption = translate("report.compared fewer", lang, share=percent(LEAST_FIRST, 1)) if fewer else ""
    return TextTable(header=header, rows=rows, caption=caption, words=frozenset({3, 4}))


def split_table(projection: Future, answer: Answer, name: str, lang: str) -> TextTable | None:
    """Policy effect split into allocation, mix and interaction; None if the variants needed were not run."""
    try:
        parts = answer.main.split(name)
    except KeyError:
        return None
    rows = [
        [translate(f"report.part {key}", lang), _cell(row, "change", 2, lang)]
        for key, row in parts.to_dict("index").items()
    ]
    caption = translate("report.split", lang, policy=label_of(projection, answer, name, lang))
    return TextTable(header=["", translate("report.closed beyond", lang)], rows=rows, caption=caption)


def _percent(share: float) -> str:
    return f"{percent(share)} %"


def _first_cell(values: xr.DataArray, name: str) -> str:
    """Share of draws in which a policy is first, with its standard error."""
    share, error = _percent(float(first_shares(values)[name])), percent(first_error(values, name))
    return share if error in {"0", written(np.nan)} else share.replace(" %", f" ± {error} %")


def _cell(row: Mapping[Any, Any], name: str, digits: int, lang: str) -> str:
    """A median, with its interval if there is one."""
    middle = row[f"{name}_p50"]
    if np.isnan(middle) or row[f"{name}_p05"] == row[f"{name}_p95"]:
        return written(middle, digits)
    return translate("report.cell", lang, middle=written(middle, digits), range=range_of(row, name, digits))
