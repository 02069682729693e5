"""How the final forecast does on every panel that is there, none of which its defaults were chosen on.

python -m benchmarks.gate --help. Panels on whose early origins defaults were chosen are scored from later ones alone.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.comparators import compared
from benchmarks.panels import CHOSEN_ON, REFERENCES, SOURCES, Source, countries, digest_of, read
from benchmarks.vintages import DATA
from calibration.forecasting import Backtest, backtest, target_of
from calibration.forecasting.models import FINAL, FIRST_ORIGIN, REFERENCE
from pysd_runner.data import Data

Array = NDArray[np.float64]

HORIZONS = (1, 2, 3, 4, 5)
SHOWN = (1, 3, 5)
SCORES = ("rmse", "crps", "coverage_50", "coverage_90", "origins")
# Fewer origins a horizon are no score.
LEAST_ORIGINS = 4
RESAMPLES = 2_000
# Panels of several countries.
SEVERAL = ("World", "EU")


def panels(folder: Path, sources: Sequence[Source]) -> Iterator[tuple[str, Data, tuple[int, ...]]]:
    """Title, panel and origins of everything that is there; countries of the EU as panels of their own too.

    Parameters
    ----------
    folder
        Where files are.
    sources
        Which ones.
    """
    for source in sources:
        panel = read(source, folder)
        if panel is None:
            print(f"{source.title}: no {source.file} in {folder}, left out", file=sys.stderr)
            continue
        if digest_of(source, folder) != source.sha256:
            print(f"{source.title}: another file than the one in benchmarks/panels.py", file=sys.stderr)
        alone = ((item.name.upper(), item) for item in countries(panel)) if source.name == "eu" else ()
        for title, item in ((source.title, panel), *alone):
            origins = target_of(item).seen[FIRST_ORIGIN - 1 : -1]
            yield title, item, tuple(year for year in origins if source.origins[0] <= year <= source.origins[1])


def rows(title: str, result: Backtest) -> pd.DataFrame:
    """Scores of every forecaster by horizon, those of too few origins left out.

    Parameters
    ----------
    title
        Of the panel.
    result
        Its back-test.
    """
    table = result.table()
    table = table[table["origins"] >= LEAST_ORIGINS]
    return table[["model", "horizon", *SCORES]].assign(panel=title)


def cells(scores: pd.DataFrame, model: str = FINAL) -> pd.DataFrame:
    """A row for each panel and horizon: ratio to persistence, regret against the best reference, coverage.

    Parameters
    ----------
    scores
        Of all panels, as `rows` makes them.
    model
        Name of a forecaster.
    """
    wide = scores.pivot(index=["panel", "horizon"], columns="model", values="rmse")
    best = wide[[name for name in wide if name in REFERENCES]].min(axis=1)
    own = scores[scores["model"] == model].set_index(["panel", "horizon"])
    return own[["coverage_50", "coverage_90", "origins"]].assign(
        ratio=wide[model] / wide[REFERENCE], regret=wide[model] / best - 1
    )


def measures(table: pd.DataFrame) -> dict[str, float]:
    """What the gate looks at, over all cells; regret over panels of a single country.

    Parameters
    ----------
    table
        Of `cells`.
    """
    single = table["regret"][~table.index.get_level_values("panel").isin(SEVERAL)]
    return {
        "median regret": float(single.median()),
        "90th percentile of regret": float(single.quantile(0.9)),
        "mean ratio to persistence": float(table["ratio"].mean()),
        "coverage of 50 %": float(table["coverage_50"].mean()),
        "coverage of 90 %": float(table["coverage_90"].mean()),
    }


def without_one(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Least and greatest of each measure when one panel is left out.

    Parameters
    ----------
    table
        Of `cells`.
    """
    titles = table.index.get_level_values("panel")
    found = pd.DataFrame([measures(table[titles != title]) for title in titles.unique()])
    return {str(name): (float(found[name].min()), float(found[name].max())) for name in found}


def clustered(values: pd.Series, seed: int = 0) -> tuple[float, float, float]:
    """Mean over panels with its 90 % interval: panels are drawn with replacement, each with all it has.

    Parameters
    ----------
    values
        One a panel.
    seed
        Decides the samples.
    """
    array = values.to_numpy(dtype=float)
    drawn = np.random.default_rng(seed).integers(0, len(array), size=(RESAMPLES, len(array)))
    low, high = np.quantile(array[drawn].mean(axis=1), (0.05, 0.95))
    return float(array.mean()), float(low), float(high)


# What is asked of each measure.
LINES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "median regret": ("at most 2 %", lambda value: value <= 0.02),
    "90th percentile of regret": ("at most 7.9 %", lambda value: value <= 0.079),
    "mean ratio to persistence": ("at most 1", lambda value: value <= 1),
    "coverage of 50 %": ("46 to 54 %", lambda value: 0.46 <= value <= 0.54),
    "coverage of 90 %": ("87 to 93 %", lambda value: 0.87 <= value <= 0.93),
}


def gate_table(table: pd.DataFrame) -> str:
    """Each measure beside what is asked of it, without and with countries as panels, and when one panel is left out.

    Parameters
    ----------
    table
        Of `cells`.
    """
    whole = table[table.index.get_level_values("panel").isin([source.title for source in SOURCES])]
    lines = ["| measure | asked | data sets | and their countries | one panel left out |", "|" + "---|" * 5]
    found, ranges = measures(whole), without_one(table)
    for name, value in measures(table).items():
        asked, holds = LINES[name]
        shown = [f"{item:.4f}" if holds(item) else f"**{item:.4f}**" for item in (found[name], value)]
        low, high = ranges[name]
        lines.append(f"| {name} | {asked} | {' | '.join(shown)} | {low:.4f} to {high:.4f} |")
    return "\n".join(lines)


def models_table(scores: pd.DataFrame) -> str:
    """The measures of every forecaster, best mean ratio first.

    Parameters
    ----------
    scores
        Of all panels.
    """
    found = {str(name): measures(cells(scores, str(name))) for name in scores["model"].unique()}
    names = list(LINES)[:3]
    lines = ["| forecaster | " + " | ".join(names) + " |", "|" + "---|" * (1 + len(names))]
    lines += [
        f"| `{model}` | " + " | ".join(f"{found[model][name]:.4f}" for name in names) + " |"
        for model in sorted(found, key=lambda item: found[item]["mean ratio to persistence"])
    ]
    return "\n".join(lines)


def coverage_table(table: pd.DataFrame) -> str:
    """Coverage by horizon, mean over panels with a 90 % interval clustered by panel.

    Parameters
    ----------
    table
        Of `cells`.
    """
    lines = ["| years ahead | panels | 50 % intervals hold | 90 % intervals hold |", "|" + "---|" * 4]
    for horizon, part in table.groupby(level="horizon"):
        found = [clustered(part[f"coverage_{level}"]) for level in (50, 90)]
        told = [f"{mean:.3f} ({low:.3f}-{high:.3f})" for mean, low, high in found]
        lines.append(f"| {horizon} | {len(part)} | {told[0]} | {told[1]} |")
    return "\n".join(lines)


def panel_table(table: pd.DataFrame, before: pd.DataFrame | None) -> str:
    """Ratio to persistence and regret of every panel, and the ratio to other scores of the same origins.

    Parameters
    ----------
    table
        Of `cells`.
    before
        Scores of `rows` that another version wrote; None for none.
    """
    heads = ["panel", "origins", "RMSE to persistence, 1 / 3 / 5 y", "regret, %"]
    lines = ["| " + " | ".join([*heads, *(["RMSE to before"] if before is not None else [])]) + " |"]
    lines.append("|" + "---|" * (len(heads) + (before is not None)))
    for title, part in table.groupby(level="panel", sort=False):
        own = part.droplevel("panel")
        shown = [step for step in SHOWN if step in own.index]
        row = [str(title), " / ".join(f"{value:.0f}" for value in own["origins"][shown])]
        row.append(" / ".join(f"{value:.3f}" for value in own["ratio"][shown]))
        row.append(" / ".join(f"{value:.1f}" for value in 100 * own["regret"][shown]))
        if before is not None:
            old = before[(before["panel"] == title) & (before["model"] == FINAL)].set_index("horizon")["rmse"]
            now = own["rmse"]
            row.append(" / ".join(f"{now[step] / old[step]:.3f}" for step in shown))
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def told(scores: pd.DataFrame, before: pd.DataFrame | None = None) -> str:
    """Every table, in Markdown.

    Parameters
    ----------
    scores
        Of all panels.
    before
        As for `panel_table`.
    """
    table = cells(scores)
    own = scores[scores["model"] == FINAL].set_index(["panel", "horizon"])["rmse"]
    table = table.assign(rmse=own)
    count = table.index.get_level_values("panel").nunique()
    parts = [
        f"{count} panels and {len(table)} pairs of panel and horizon of {LEAST_ORIGINS} origins or more.",
        gate_table(table),
        "The same of every forecaster; regret is against the best of ten, picked with hindsight for each pair:",
        models_table(scores),
        "Coverage, mean over panels with 90 % intervals clustered by panel:",
        coverage_table(table),
        panel_table(table, before),
    ]
    if before is not None:
        old = before[before["model"] == FINAL].set_index(["panel", "horizon"])["rmse"]
        ratio = (own / old).dropna().sort_values().reset_index()
        worst = ratio.iloc[-1]
        parts.append(
            f"RMSE over that of the version before on the same origins: mean {ratio['rmse'].mean():.4f} over "
            f"{len(ratio)} pairs, largest {worst['rmse']:.4f} ({worst['panel']}, {worst['horizon']} y)."
        )
    return "\n\n".join(parts)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the files (see benchmarks.panels)")
    names = [source.name for source in SOURCES]
    parser.add_argument("--panel", nargs="+", choices=names, default=names, help="sources to score, if there (all)")
    parser.add_argument(
        "--chosen-on", action="store_true", help="score the samples that defaults are chosen on instead"
    )
    parser.add_argument("--draws", type=int, default=500, help="draws of each forecast (500)")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--out", type=Path, default=None, help="file for the scores of every forecaster")
    parser.add_argument("--scores", type=Path, default=None, help="scores that were written before, instead of scoring")
    parser.add_argument("--against", type=Path, default=None, help="scores that another version wrote")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Score, then print.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        Exit code.
    """
    options = arguments(given)
    if options.scores is not None:
        scores = pd.read_csv(options.scores, keep_default_na=False)
    else:
        found = []
        scored = [item for item in SOURCES if item.name in options.panel]
        for title, panel, origins in panels(options.data, CHOSEN_ON if options.chosen_on else scored):
            print(f"{title}: {len(panel.regions)} regions, {len(origins)} origins", file=sys.stderr)
            result = backtest(
                panel,
                forecasters=compared(),
                horizons=HORIZONS,
                first_origin=origins[0],
                last_origin=origins[-1],
                draws=options.draws,
                workers=options.workers,
            )
            found.append(rows(title, result))
        scores = pd.concat(found, ignore_index=True)
    if options.out is not None:
        scores.to_csv(options.out, index=False)
    before = None if options.against is None else pd.read_csv(options.against, keep_default_na=False)
    print(told(scores, before))
    return 0


if __name__ == "__main__":
    sys.exit(main())
