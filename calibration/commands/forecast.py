"""The command that forecasts relative output per head."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice, choose
from pysd_runner.cli.options import (
    OF_OTHERS,
    OF_REGIONS,
    SHIPPED_PANEL,
    Force,
    Free,
    ModelPath,
    Parts,
    Reading,
    Seed,
    leaving_out,
    moment,
    time_option,
)
from pysd_runner.cli.projecting import files_of, target
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import read_fit
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.text import LANGUAGES, translate

if TYPE_CHECKING:  # slow imports (numpy)
    from calibration.forecasting import Outlook
    from pysd_runner.data import Data
    from pysd_runner.spec import Baseline

DEFAULT_HORIZON = 10
# Name of the final forecaster, as in `calibration.forecasting.models`, which would import numpy.
FINAL = "gapsim"


@dataclass(frozen=True, kw_only=True)
class ForecastOptions:
    """Options for the horizon, forecaster, events and draws of a forecast."""

    until: Annotated[
        float | None,
        typer.Option(
            "--until",
            metavar="TIME",
            parser=time_option,
            help="Last year, date (2040-06-01) or moment [default: ten after the panel's last].",
        ),
    ] = None
    forecaster: Annotated[
        str,
        typer.Option("--forecaster", metavar="NAME", help="One of those that `gapsim backtest` scores."),
        OF_REGIONS,
    ] = FINAL
    fit: Annotated[Path | None, typer.Option("--fit", help="What `gapsim calibrate` wrote.")] = None
    events: Annotated[
        list[str] | None, typer.Option("--event", metavar="TEXT", help="Event whose probability is wanted; repeatable.")
    ] = None
    draws: Annotated[int, typer.Option("--draws", min=2, help="Predictive draws.")] = 1000
    seed: Seed = 0
    without: Annotated[
        list[Parts] | None,
        leaving_out(
            "past",
            help="past leaves out the scores of the same forecaster at past origins, as `gapsim backtest` gives them.",
        ),
    ] = None
    free: Annotated[Free, OF_OTHERS] = None


@command(
    "forecast",
    "gapsim forecast",
    'gapsim forecast china --until 2035 --event "west closes 10% of its gap by 2035" --out forecast',
    "gapsim forecast china --fit fit",
    "gapsim forecast mine.csv --until 2030 --forecaster damped_drift --without past --json",
    'gapsim forecast obs.csv --model mine.mdl --until 80 --event "infected above 100 at 80" --out outlook',
)
def forecast(
    session: Session,
    data: Annotated[
        str, typer.Argument(metavar="[DATA]", help="File of data, or the name of a shipped panel.")
    ] = SHIPPED_PANEL,
    *,
    asked: ForecastOptions,
    model: ModelPath = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write figure, tables, draws and text there.")
    ] = None,
    force: Force = False,
    reading: Reading = None,
) -> None:
    """Forecast output per head of regions relative to their mean, with bands and the probability of named events.

    The panel needs region, year and output per head (or output and population), nothing else. Events are written like
    "west closes 10% of its gap by 2035", "Gansu closes 10% of its gap to the leader by 2035", "Shandong overtakes
    Chongqing by 2030", "Gansu below 60% of the mean in 2030" or "dispersion falls by 5% by 2035"; a class counts with
    the mean of its regions. A gap is to the mean of the regions unless another end is named. "By 2035" means at any
    time until then, "in 2035" in that year alone, and levels are of the geometric mean of the regions, as in the table.
    The final forecast, `gapsim`, is a fixed mixture of `filtered`, a Kalman filter of levels, momentum and mean
    reversion, of error correction and of persistence. `gapsim run` starts its scenarios from such a forecast, and gives
    the probability of events under each.
    """
    from calibration.forecasting import forecast as forecast_of

    choice = choose(model, data, reading, asked)
    prepare = _PREPARED[choice.design.target]
    inputs = [*choice.files, *files_of(asked.fit)]
    folder = None if out is None else target(out, "forecast", force=force, inputs=inputs)
    read, settings, kept, beside = prepare(session, choice, asked, None if model is None else choice.load_model)
    with session.stage(Message("Forecasting")) as stage:
        result = forecast_of(
            steps.freed(read, settings["model"], asked),
            past=not asked.without,
            kept=kept,
            events=asked.events or (),
            draws=asked.draws,
            seed=asked.seed,
            progress=stage.at,
            **settings,
        )
    if beside is not None:
        from pysd_runner.evidence.following import keep

        keep(session, result.baseline, beside)
    # Save before printing, since the output pipe may be closed.
    if folder is not None:
        with folder:
            _write(result, folder.draft, session.lang)
    _say(session, result)
    if folder is not None:
        session.say()
        session.say(translate("forecast.table.written", session.lang, folder=folder.path))


_Prepared: TypeAlias = "tuple[Data, dict[str, Any], Baseline | None, Path | None]"


def _relative_output(session: Session, choice: DataChoice, asked: ForecastOptions, model: Any) -> _Prepared:
    """Data and settings of a forecast of relative output, a stored forecast, and the folder in which to store one."""
    from calibration.forecasting import target_of
    from calibration.forecasting.forecast import check_forecast
    from calibration.forecasting.target import doubts
    from pysd_runner.spec.baseline import kept_in
    from pysd_runner.study.draws import panel_differences

    fitted = None if asked.fit is None else read_fit(asked.fit)
    read = choice.read(session, fitted, is_compared=True)
    aim = target_of(read)
    for text in doubts(read, aim):
        session.warn(text)
    until = aim.times[-1] + DEFAULT_HORIZON if asked.until is None else int(asked.until)
    settings: dict[str, Any] = {"until": until, "fit": fitted, "forecaster": asked.forecaster}
    settings["model"] = None if model is None else model()
    check_forecast(read, events=asked.events or (), draws=asked.draws, seed=asked.seed, **settings)
    for text in () if fitted is None else panel_differences(fitted, read):
        session.warn(text)
    beside = asked.fit if asked.fit is not None and asked.fit.is_dir() else None
    if beside is None:
        return read, settings, None, None
    kept = kept_in(beside, read, fitted, until=until, draws=asked.draws, seed=asked.seed)
    return read, settings, kept, beside if kept is None and asked.forecaster == FINAL else None


def _columns(session: Session, choice: DataChoice, asked: ForecastOptions, _model: Any) -> _Prepared:
    """Data and settings of a forecast of columns."""
    from calibration.fitting.results import Fit
    from pysd_runner.study.equations import check_equations

    if asked.until is None:
        raise InvalidInput("say how far to forecast: --until 80, in the unit of the model's time")
    read, model = choice.read(session), choice.load_model()
    found = None if asked.fit is None else Fit.load(asked.fit)
    if found is not None:
        check_equations(model, found.fitted.provenance.get("equations", {}), f"the fit in {asked.fit}")
    return read, {"until": asked.until, "fit": found, "model": model}, None, None


# What a forecast is made from, by the target of a design.
_PREPARED = {"relative_output": _relative_output, "columns": _columns}


def _say(session: Session, result: "Outlook") -> None:
    """Print the forecast, for regions with the last year and the events; store all results for the JSON object."""
    from calibration.forecasting.words import chance, paragraph
    from calibration.reporting.pages import last_year

    is_relative = result.target.is_relative
    texts = {item: paragraph(result, item) if is_relative else "\n".join(result.sentences(item)) for item in LANGUAGES}
    session.data = {
        "panel": result.target.name,
        "model": result.model,
        "origin": moment(float(result.target.grid[-1])),
        "seed": result.provenance["seed"],
        "draws": int(next(iter(result.draws.values())).sizes["draw"]),
        "table": result.table().to_dict("records"),
        "events": _events(result),
        "past": list(result.past),
        "past_origins": list(result.past_origins),
        "dispersion": dict(result.dispersion),
        "weights": dict(result.weights),
        "fit": result.provenance.get("fit"),
        "text": texts,
    }
    session.say(texts[session.lang])
    if not is_relative:
        return
    heading, shown = last_year(result, session.lang)
    session.say()
    session.say(heading)
    session.say(shown.to_string(float_format="{:.0f}".format))
    if result.chances:
        session.say()
        for item in result.chances:
            session.say(
                translate("forecast.table.chance", session.lang, probability=chance(item.probability), event=item.event)
            )


def _events(result: "Outlook") -> list[dict[str, Any]]:
    return [{"event": item.event, "year": item.year, "probability": item.probability} for item in result.chances]


def _write(result: "Outlook", out: Path, lang: str) -> None:
    """Write the report, the table, the draws, and the events and past scores, if requested."""
    import pandas as pd

    from calibration.reporting.pages import write_outlook
    from pysd_runner.export.files import save_csv

    if not result.target.is_relative:
        result.save(out, lang=lang)
        return
    write_outlook(result, out, lang=lang)
    save_csv(result.table(), out / "table.csv")
    for name, rows in (("events", _events(result)), ("past", list(result.past))):
        if rows:
            save_csv(pd.DataFrame(rows), out / f"{name}.csv")
    result.baseline.save(out)
