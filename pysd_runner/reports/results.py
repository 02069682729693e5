"""The folder of results: projection, tables, figures, summary, and what is needed to run it again."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pysd_runner.export import Summary, save_csv, summary_markdown, to_iamc, write_text_whole
from pysd_runner.export.printing import below_baseline_markdown
from pysd_runner.plots import save_figure
from pysd_runner.projection import Projection
from pysd_runner.reports.figures import figure_jobs
from pysd_runner.reports.inputs import Inputs
from pysd_runner.reports.levels import level_table
from pysd_runner.reports.overview import overview, summarise
from pysd_runner.reports.phrases import say

FIGURES = "figures"

# Outcomes of the wide table that other programs load; all outcomes are in projection.nc.
TABLED = (
    "output",
    "output_per_head",
    "population",
    "relative_output",
    "gap_to_leader",
    "national_output",
    "national_gap",
    "theil",
    "sigma",
    "class_gap",
    "class_relative_output",
)

CONTENTS = {
    "en": {
        "summary.md": "this page",
        "summary.csv": "one row a scenario: medians, 5th and 95th percentiles, probabilities",
        "levels.csv": "gaps, Theil and sigma at the start and at the end, with intervals",
        "below_baseline.csv": "probability that a region's output per head lies below the baseline's",
        "projection_iamc.csv": "medians and intervals by region and year, in the IAMC layout",
        "projection.nc": "every draw of every outcome (netCDF)",
        "history.nc": "what was observed (netCDF)",
        "panel.json": "the panel, as it was read",
        "fitted.json": "the calibrated parameters, with their covariance",
        "run.json": "settings, scenarios, hashes and versions; `gapsim run run.json` makes these results again",
    },
    "zh": {
        "summary.md": "本页",
        "summary.csv": "每个情景一行：中位数、第 5 与第 95 百分位、概率",
        "levels.csv": "差距、泰尔指数和 σ 的起点值与终点值及区间",
        "below_baseline.csv": "各地区人均产出低于基准的概率",
        "projection_iamc.csv": "按地区和年份的中位数与区间，IAMC 格式",
        "projection.nc": "所有结果的每次抽样（netCDF）",
        "history.nc": "观测值（netCDF）",
        "panel.json": "所读入的面板",
        "fitted.json": "校准得到的参数及其协方差",
        "run.json": "设置、情景、哈希和版本；`gapsim run run.json` 可重新得到这些结果",
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """What was written.

    Parameters
    ----------
    folder
        Where.
    summary
        The summary table; None when no policy was projected.
    figures
        Names of the figures, without ending.
    """

    folder: Path
    summary: Summary | None
    figures: tuple[str, ...]


def write_results(
    projection: Projection,
    folder: str | Path,
    *,
    inputs: Inputs,
    scenarios: Sequence[str] = (),
    lang: str = "en",
    progress: Callable[[int], None] | None = None,
    finished: Callable[[str], None] | None = None,
) -> Results:
    """Write everything a reader of a projection needs into a folder.

    Parameters
    ----------
    projection
        What was projected.
    folder
        An existing or new folder.
    inputs
        What it was made from; copied so that the folder can be run again elsewhere.
    scenarios
        Scenarios that get figures of their own; empty for all policies.
    lang
        Language of figures and page, ``"en"`` or ``"zh"``.
    progress
        Called with the number of figures finished.
    finished
        Called with the name of each part that an interruption may leave behind; figures that are missing can be drawn
        from the rest.

    Returns
    -------
    Results
        Folder, summary and figures.

    Raises
    ------
    OSError
        If something cannot be written.
    """
    folder = Path(folder)
    before = set(folder.iterdir()) if folder.is_dir() else set()
    record = inputs.store(folder)
    kept = dataclasses.replace(projection, provenance={**projection.provenance, "inputs": record})
    kept.save(folder)
    summary = summarise(projection)
    _write_tables(projection, summary, folder)
    sentences: dict[str, str] = {}
    write_text_whole(folder / "summary.md", _page(kept, summary, sentences, lang))
    if finished is not None:
        for name in (*(path.name for path in set(folder.iterdir()) - before), FIGURES):
            finished(name)
    for name, draw in figure_jobs(projection, scenarios=scenarios):
        figure = draw(lang=lang)
        save_figure(figure, folder / FIGURES, name)
        sentences[name] = figure.sentence
        if progress is not None:
            progress(1)
    write_text_whole(folder / "summary.md", _page(kept, summary, sentences, lang))
    return Results(folder=folder, summary=summary, figures=tuple(sentences))


def _write_tables(projection: Projection, summary: Summary | None, folder: Path) -> None:
    if summary is not None:
        save_csv(summary.frame.reset_index(), folder / "summary.csv")
        save_csv(_losers(summary), folder / "below_baseline.csv")
    save_csv(level_table(projection), folder / "levels.csv")
    tabled = [name for name in TABLED if name in projection.data]
    save_csv(to_iamc(projection.data[tabled]), folder / "projection_iamc.csv")


def figure_count(projection: Projection, *, scenarios: Sequence[str] = ()) -> int:
    """How many figures `write_results` will draw."""
    return len(figure_jobs(projection, scenarios=scenarios))


def _losers(summary: Summary) -> pd.DataFrame:
    """Probability of losing, one row a region, with names."""
    frame = summary.below_baseline.T.drop(columns=sorted(set(summary.baselines.values())))
    frame.insert(0, "name_en", [summary.labels["en"].get(str(code), str(code)) for code in frame.index])
    frame.insert(1, "name_zh", [summary.labels["zh"].get(str(code), str(code)) for code in frame.index])
    return frame.reset_index()


def _page(projection: Projection, summary: Summary | None, sentences: dict[str, str], lang: str) -> str:
    """The page that leads through the folder."""
    panel, year = str(projection.provenance["panel"]["name"]), int(projection.data["year"][-1])
    parts = [
        f"# {say('report', lang, year=year, panel=panel)}",
        "\n".join(["```", *overview(projection, summary, lang=lang), "```"]),
    ]
    parts += [_section("warnings", projection.warnings, lang), _section("inferred", projection.imputed, lang)]
    if summary is not None:
        parts.append(f"## {say('table', lang)}\n\n{summary_markdown(summary, lang=lang).rstrip()}")
        parts.append(f"## {say('losers', lang)}\n\n{below_baseline_markdown(summary, lang=lang).rstrip()}")
    pictures = [f"![{text}]({FIGURES}/{name}.png)\n\n{text}" for name, text in sentences.items()]
    if pictures:
        parts.append("\n\n".join([f"## {say('figures', lang)}", say("figures note", lang), *pictures]))
    parts += [_section("files", _contents(projection, summary, lang), lang)]
    return "\n\n".join([part for part in parts if part] + [_made(projection, lang)]) + "\n"


def _contents(projection: Projection, summary: Summary | None, lang: str) -> list[str]:
    """The files of the folder, each with what it holds."""
    absent = set() if summary is not None else {"summary.csv", "below_baseline.csv"}
    absent |= {"fitted.json"} if projection.provenance.get("fitted") is None else set()
    return [f"`{name}`: {text}" for name, text in CONTENTS[lang].items() if name not in absent]


def _section(key: str, lines: Sequence[str], lang: str) -> str:
    """A heading and a list; nothing without lines."""
    return "\n".join([f"## {say(key, lang)}", "", *(f"- {line}" for line in lines)]) if lines else ""


def _made(projection: Projection, lang: str) -> str:
    """One line that says how the results were made."""
    record: dict[str, Any] = dict(projection.provenance)
    return say(
        "model",
        lang,
        name=record["simulation"]["model"],
        hash=record["simulation"]["model_sha256"][:12],
        panel=record["panel"]["name"],
        panel_hash=record["panel"]["sha256"][:12],
        seed=record["settings"]["seed"],
        draws=record["settings"]["draws"],
        version=record["versions"]["gapsim"],
    )
