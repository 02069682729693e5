"""The scoreboard of forecasts on the panels that are there: python -m benchmarks.scoreboard --help."""

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.comparators import compared
from benchmarks.panels import SOURCES, Source, read
from benchmarks.perfect import told
from benchmarks.vintages import CORE, DATA, OLD, results as vintages
from calibration.commands.backtest import intervals
from calibration.filtering import FilterSettings
from calibration.forecasting import Backtest, backtest
from calibration.forecasting.forecaster import Forecaster
from calibration.forecasting.models import FILTERED, FINAL, REFERENCE, FilteredModel
from calibration.forecasting.scores import ratio_interval
from pysd_runner.data import Data

SHOWN = (1, 3, 5)
MEAN = "mean_of_good"
# The best single member.
ALONE = "error_correction_shrunken"


def skill_table(results: Mapping[str, Backtest]) -> str:
    """Ratios of RMSE and CRPS to persistence at 1 / 3 / 5 years, forecasters down and panels across.

    Parameters
    ----------
    results
        By title of the panel.
    """
    heads = [f"{title}, {score}" for title in results for score in ("RMSE", "CRPS")]
    lines = ["| | " + " | ".join(heads) + " |", "|" + "---|" * (len(heads) + 1)]
    tables = {title: result.table() for title, result in results.items()}
    names = [str(name) for name in next(iter(results.values())).scores["model"].values if name != REFERENCE]
    for name in names:
        cells = [
            _cell(table, name, column)
            for table in tables.values()
            for column in ("rmse_ratio_to_persistence", "crps_ratio_to_persistence")
        ]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(table: pd.DataFrame, name: str, column: str) -> str:
    found = table[table["model"] == name].set_index("horizon")[column]
    return " / ".join(f"{float(found[step]):.3f}" for step in SHOWN if step in found.index)


def final_table(title: str, result: Backtest) -> str:
    """The final forecast on one panel: interval of its RMSE ratio, test against persistence, coverage with intervals.

    Parameters
    ----------
    title
        Of the panel.
    result
        Its back-test.
    """
    lines = [
        f"| {title}, years ahead | origins | RMSE ratio | p | CRPS ratio | 50 % intervals hold | 90 % intervals hold |",
        "|" + "---|" * 7,
    ]
    rows = result.table()
    rows = rows[rows["model"] == FINAL]
    for (_, row), (ratio, crps, *coverage) in zip(rows.iterrows(), intervals(rows), strict=True):
        p = "-" if pd.isna(row["dm_squared_p"]) else f"{row['dm_squared_p']:.3f}"
        cells = [str(row["horizon"]), str(row["origins"]), ratio, p, crps, *coverage]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ablation_table(result: Backtest) -> str:
    """What each part is worth: score of the whole over the score without the part, with 90 % block-bootstrap intervals.

    Parameters
    ----------
    result
        Holds the whole and what was taken out of it, besides them the final forecast, whose part is the filtered model.
    """
    names = [str(name) for name in result.scores["model"].values]
    pairs = [(FILTERED, name) for name in ablations() if name in names] + [(FINAL, FILTERED), (FINAL, ALONE)]
    steps = [step for step in SHOWN if step in result.scores["horizon"].values]
    heads = [f"{score}, {step} y" for score in ("RMSE", "CRPS") for step in steps]
    lines = ["| whole | against | " + " | ".join(heads) + " |", "|" + "---|" * (2 + len(heads))]
    for whole, part in pairs:
        cells = [_worth(result, whole, part, score, step) for score in ("error", "crps") for step in steps]
        lines.append(f"| `{whole}` | `{part}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _worth(result: Backtest, whole: str, part: str, score: str, step: int) -> str:
    """Ratio of one score with its interval; below 1 the whole is better."""
    chosen = result.scores[score].sel(horizon=step).transpose("model", "origin", "region")
    own, other = (np.asarray(chosen.sel(model=name).values, dtype=float) for name in (whole, part))
    power = 0.5 if score == "error" else 1.0
    if score == "error":
        own, other = own**2, other**2
    ratio = (np.nanmean(own) / np.nanmean(other)) ** power
    low, high = ratio_interval(own, other, step, power=power)
    return f"{ratio:.3f} ({low:.3f}-{high:.3f})"


def regrets(results: Mapping[str, Backtest]) -> tuple[float, float]:
    """Median and largest regret of the final forecast: RMSE over that of the best baseline, less 1.

    Parameters
    ----------
    results
        By title of the panel; horizons 1 to 5.
    """
    found = []
    for result in results.values():
        table = result.table().pivot(index="horizon", columns="model", values="rmse")
        ours = table[FINAL]
        best = table[[name for name in table if name not in ablations()]].drop(columns=[FILTERED, FINAL]).min(axis=1)
        found += list((ours / best - 1)[table.index <= 5])
    return float(np.median(found)), float(np.max(found))


def mean_table(results: Mapping[str, Backtest]) -> str:
    """RMSE of the final forecast over that of the equal-weight mean of the good baselines, with 90 % intervals.

    Parameters
    ----------
    results
        By title of the panel.
    """
    steps = sorted({int(step) for result in results.values() for step in result.scores["horizon"].values})
    lines = ["| panel | " + " | ".join(f"{step} y" for step in steps) + " |", "|" + "---|" * (1 + len(steps))]
    for title, result in results.items():
        known = {int(step) for step in result.scores["horizon"].values}
        cells = [_worth(result, FINAL, MEAN, "error", step) if step in known else "" for step in steps]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean_coverage(results: Mapping[str, Backtest]) -> tuple[float, float]:
    """Coverage of 50 % and 90 % intervals of the final forecast, averaged over panels and horizons.

    Parameters
    ----------
    results
        By title of the panel.
    """
    rows = [row for result in results.values() for row in result.skill() if row["model"] == FINAL]
    half, most = (float(np.mean([row[f"coverage_{level}"] for row in rows])) for level in (50, 90))
    return half, most


def ablations() -> dict[str, Forecaster]:
    """The filtered model with a part taken out, by name."""
    whole = FilterSettings()
    without = {
        "momentum": replace(whole, momenta=(0.0,)),
        "mean_reversion": replace(whole, reversions=(0.0,)),
        "volatile_years": replace(whole, ordinary_regions=math.inf),
    }
    named = {f"{FILTERED}_without_{part}": settings for part, settings in without.items()}
    return {name: FilteredModel(name=name, settings=settings) for name, settings in named.items()}


def written(results: Mapping[str, Backtest], more: Iterable[str] = ()) -> str:
    """Every table, in Markdown.

    Parameters
    ----------
    results
        By title of the panel.
    more
        Further parts.
    """
    parts = ["Ratios to persistence at 1 / 3 / 5 years; below 1 is better.", skill_table(results)]
    parts.append(
        "The final forecast, with 90 % block-bootstrap intervals over origins, and p of the Diebold-Mariano test:"
    )
    parts += [final_table(title, result) for title, result in results.items()]
    median, worst = regrets(results)
    parts.append(
        f"Regret of `{FINAL}` against the best baseline picked with hindsight, RMSE, over {len(results)} panel(s) and "
        f"horizons 1 to 5: median {100 * median:.1f} %, worst {100 * worst:.1f} %."
    )
    half, most = mean_coverage(results)
    parts.append(
        f"Averaged over panels and horizons, intervals of 50 % held {100 * half:.1f} % and intervals of 90 % held "
        f"{100 * most:.1f} % of realisations. {told(results)}"
    )
    if all(MEAN in {str(name) for name in result.scores["model"].values} for result in results.values()):
        parts += [
            f"RMSE of `{FINAL}` over that of `{MEAN}`, the equal-weight mean, with 90 % block-bootstrap intervals:",
            mean_table(results),
        ]
    for title, result in results.items():
        if set(ablations()) & {str(name) for name in result.scores["model"].values}:
            parts += [
                f"What parts are worth, {title}: score of the whole over that without the part, below 1 where the part "
                "helps, with 90 % block-bootstrap intervals.",
                ablation_table(result),
            ]
    return "\n\n".join([*parts, *more])


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoreboard", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of us_states.csv, world_countries.csv and others"
    )
    names = [source.name for source in SOURCES]
    parser.add_argument(
        "--panel", nargs="+", choices=names, default=names, help="panels to score, if their files are there (all)"
    )
    parser.add_argument(
        "--model",
        nargs="+",
        default=None,
        help="forecasters; by default all, in China also ablations",
    )
    parser.add_argument("--draws", type=int, default=500, help="draws of each forecast (500)")
    parser.add_argument("--workers", type=int, default=1, help="processes (1)")
    parser.add_argument("--keep", type=Path, default=None, help="folder of finished origins; the same command goes on")
    parser.add_argument("--vintages", action="store_true", help="also score Chinese vintages, if they are there")
    parser.add_argument("--figures", type=Path, default=None, help="folder for the figures")
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
        Exit code: 2 where no panel is there.
    """
    options = arguments(given)
    results = {}
    for source in (item for item in SOURCES if item.name in options.panel):
        panel = read(source, options.data)
        if panel is None:
            print(f"{source.title}: no {source.file} in {options.data}, left out", file=sys.stderr)
            continue
        results[source.title] = _scored(source, panel, options)
    if not results:
        return 2
    more = []
    if options.vintages and all((options.data / name).exists() for name in (CORE, OLD)):
        more.append(vintages(options.data, draws=options.draws))
    print(written(results, more))
    if options.figures is not None:
        from benchmarks.scoreboard_figures import save_all

        save_all(results, options.figures)
    return 0


def _scored(source: Source, panel: Data, options: argparse.Namespace) -> Backtest:
    known = compared() | ablations()
    names = options.model
    if names is None:
        names = [*compared(), *(ablations() if source.name == "china" else ())]
    return backtest(
        panel,
        forecasters={name: known[name] for name in dict.fromkeys((REFERENCE, *names))},
        horizons=(1, 2, 3, 4, 5),
        draws=options.draws,
        workers=options.workers,
        checkpoint=None if options.keep is None else options.keep / source.name,
        progress=lambda what, done, total: print(f"{source.title}: {what} {done}/{total}", file=sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
