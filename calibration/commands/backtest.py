"""The command that scores forecasts."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import choose
from pysd_runner.cli.options import (
    OF_OTHERS,
    OF_REGIONS,
    SHIPPED_PANEL,
    Force,
    Free,
    ModelPath,
    Reading,
    Seed,
    StoreFolder,
    Window,
    moment,
    time_option,
)
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message, joined
from pysd_runner.engine.validation import cores
from pysd_runner.reports.folders import check_file, save_whole
from pysd_runner.text import translated

if TYPE_CHECKING:  # slow imports (numpy)
    import pandas as pd

    from calibration.forecasting.scored import Backtest
    from pysd_runner.data import Data

# Maximum number of cells (regions times years) for which one process is the fastest.
SMALL_PANEL = 400
# The best single member, reported next to the final forecast.
ALONE = "error_correction_shrunken"
HEADINGS = {
    "rmse": Message("rmse"),
    "rmse_ratio_to_persistence": Message("rmse ratio to persistence"),
    "crps_ratio_to_persistence": Message("crps ratio to persistence"),
    "coverage_50": Message("coverage 50"),
    "coverage_90": Message("coverage 90"),
}
# Columns that are printed with intervals, and the prefix of the columns of the interval's ends in the table.
WITH_INTERVALS = {
    "rmse_ratio_to_persistence": "rmse_ratio",
    "crps_ratio_to_persistence": "crps_ratio",
    "coverage_50": "coverage_50",
    "coverage_90": "coverage_90",
}


@dataclass(frozen=True, kw_only=True)
class BacktestOptions(Window):
    """Options for the forecasters, origins and execution of a back-test."""

    forecasters: Annotated[
        list[str] | None,
        typer.Option("--forecaster", metavar="NAME", help="Forecaster to score; repeatable [default: all]."),
        OF_REGIONS,
    ] = None
    horizons: Annotated[
        list[int] | None,
        typer.Option(
            "--horizon", min=1, metavar="YEARS", help="Years ahead; repeatable [default: 1 to 5; 10 if it can]."
        ),
    ] = None
    first_origin: Annotated[
        float | None,
        typer.Option(
            "--first-origin",
            metavar="TIME",
            parser=time_option,
            help="First origin, a year, date or moment [default: ninth year of a panel, first one of a table].",
        ),
    ] = None
    last_origin: Annotated[
        float | None,
        typer.Option(
            "--last-origin",
            metavar="TIME",
            parser=time_option,
            help="Last origin [default: the last that can be scored].",
        ),
    ] = None
    draws: Annotated[int, typer.Option("--draws", min=2, help="Predictive draws.")] = 500
    seed: Seed = 0
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Processes at the same time; results do not depend on it [default: every core, one for small panels].",
        ),
    ] = None
    store: StoreFolder = None
    free: Annotated[Free, OF_OTHERS] = None


@command(
    "backtest",
    "gapsim backtest",
    "gapsim backtest mine.csv --workers 2 --json",
    "gapsim backtest china --forecaster gapsim --forecaster damped_drift --first-origin 2014",
    "gapsim backtest obs.csv --model mine.mdl",
)
def backtest(
    session: Session,
    data: Annotated[
        str, typer.Argument(metavar="[DATA]", help="File of data, or the name of a shipped panel.")
    ] = SHIPPED_PANEL,
    *,
    asked: BacktestOptions,
    model: ModelPath = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the table of skill to this CSV file as well.")
    ] = None,
    force: Force = False,
    reading: Reading = None,
) -> None:
    """Score forecasts of relative output per head: from every past year with what was known then, against realisations.

    The panel needs region, year and output per head (or output and population), nothing else. Everything is estimated
    again at each origin. Ratios below 1 are better than persistence, which leaves every region where it is; intervals
    that are right cover 50 and 90 per cent. `gapsim` is the final forecast.
    """
    from calibration.forecasting.backtest import check_backtest, scored_by
    from calibration.forecasting.target import DOUBTS
    from pysd_runner.core.parallel import open_pool

    search = steps.Search(seed=asked.seed, workers=asked.workers, store=asked.store)
    choice = choose(model, data, reading, asked)
    if out is not None:
        check_file(out, ".csv", replace=force, inputs=choice.files)
    read = _within(choice.read(session, is_compared=True), asked)
    settings: dict[str, Any] = {"horizons": asked.horizons, "draws": asked.draws, "seed": asked.seed}
    settings |= {"model": None if model is None else choice.load_model(), "checkpoint": asked.store}
    settings |= {"first_origin": asked.first_origin, "last_origin": asked.last_origin}
    settings |= {"forecasters": asked.forecasters}
    plan, finished = check_backtest(steps.freed(read, settings["model"], asked), **settings)
    for text in DOUBTS[choice.design.target](read, plan.target):
        session.warn(text)
    search.tell(session)
    workers = asked.workers or _processes(read)
    with (
        session.stage(Message("Forecasting from past years")) as stage,
        open_pool("processes" if workers > 1 else None, workers, items=len(plan.seen)) as pool,
    ):
        result = scored_by(plan, finished, pool, progress=stage.at)
    session.kept.clear()
    # Save before printing, since the output pipe may be closed; print even if saving fails.
    try:
        if out is not None:
            from pysd_runner.export.files import save_csv

            save_whole(out, ".csv", lambda path: save_csv(result.table(), path), replace=force)
    finally:
        _say(session, result)
    if out is not None:
        session.say()
        session.say(Message("Every score: {out}", out=out))


def _within(data: "Data", asked: Window) -> "Data":
    """Restrict the data to the requested window."""
    if asked.start is None and asked.until is None:
        return data
    first = data.times[0] if asked.start is None else asked.start
    last = data.times[-1] if asked.until is None else asked.until
    return data.subset(times=data.times[(data.times >= first) & (data.times <= last)])


def _processes(data: "Data") -> int:
    """Number of processes: all cores, or one if the data are so small that more would be slower."""
    return cores() if len(data.codes) * len(data.times) > SMALL_PANEL else 1


def _say(session: Session, result: "Backtest") -> None:
    """Print the table, and store all results for the JSON object."""
    from pysd_runner.reports.document import aligned

    table = result.table()
    origins = [moment(float(time)) for time in result.scores["origin"].values]
    codes = [str(code) for code in result.scores[result.rows].values]
    session.data = {
        "panel": result.panel,
        "regions": codes,
        "origins": origins,
        "draws": result.draws,
        "seed": result.seed,
        "skill": result.skill(),
        "regret": {name: result.regret(name) for name in map(str, result.scores["model"].values)},
        "by_origin": result.by("origin").to_dict("records"),
        "by_group": result.by("group").to_dict("records") if "group" in result.scores.coords else [],
    }
    noun = Message(result.rows if len(codes) == 1 else f"{result.rows}s")
    session.say(
        Message(
            "{panel}: {count} {noun}, origins {first}-{last}; ratios below 1 are better than persistence",
            panel=result.panel,
            count=len(codes),
            noun=noun,
            first=origins[0],
            last=origins[-1],
        )
    )
    session.say(_counted(table))
    for column, head in HEADINGS.items():
        wide = table.pivot(index="model", columns="horizon", values=column).loc[list(dict.fromkeys(table["model"]))]
        session.say()
        session.say(head)
        numbers = [[str(name), *map(_number, row)] for name, *row in wide.astype(float).itertuples()]
        for line in aligned([["", *_ahead(wide.columns, session.lang)], *numbers]):
            session.say(line)
    last = str(table["model"].iloc[-1])
    for name in dict.fromkeys((last, ALONE)):
        rows = table[table["model"] == name]
        if rows["coverage_90_low"].notna().any():
            session.say()
            session.say(Message("{name}, with 90 % block-bootstrap intervals over origins", name=name))
            heads = ["", *(translated(HEADINGS[column], session.lang) for column in WITH_INTERVALS)]
            cells = [
                [step, *row] for step, row in zip(_ahead(rows["horizon"], session.lang), intervals(rows), strict=True)
            ]
            for line in aligned([heads, *cells]):
                session.say(line)
    if len(regret := result.regret(last)):
        parts = [
            Message("{value:+.1f} % ({step} ahead)", value=100 * value, step=step) for step, value in regret.items()
        ]
        session.say()
        session.say(
            Message(
                "regret of {last}, its rmse over that of the best other forecaster picked with hindsight: {told}",
                last=last,
                told=joined(parts, ", "),
            )
        )


def _counted(table: "pd.DataFrame") -> str:
    """Describe the number of origins at each horizon, and whether it is sufficient."""
    from calibration.forecasting.words import LEAST_ORIGINS

    counts = table.groupby("horizon")["origins"].max()
    few = Message("; fewer than {least} are too few to judge by", least=LEAST_ORIGINS)
    return Message(
        "origins at {steps} ahead: {counts}{few}",
        steps=", ".join(map(str, counts.index)),
        counts=", ".join(map(str, counts)),
        few=few if (counts < LEAST_ORIGINS).any() else "",
    )


def intervals(rows: "pd.DataFrame") -> list[list[str]]:
    """Scores of one forecaster with their intervals, one row per horizon."""
    return [
        [_cell(row[column], row[f"{stem}_low"], row[f"{stem}_high"]) for column, stem in WITH_INTERVALS.items()]
        for _, row in rows.set_index("model").astype(float).iterrows()
    ]


def _ahead(horizons: Iterable[object], lang: str) -> list[str]:
    """Headings of horizons."""
    return [translated(Message("{step} ahead", step=step), lang) for step in horizons]


def _cell(value: float, low: float, high: float) -> str:
    # If all bootstrap samples of origins have the same score, there is no interval.
    return _number(value) if isnan(low) or low == high else f"{value:.3f} ({low:.3f}-{high:.3f})"


def _number(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3f}"
