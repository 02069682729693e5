"""The command that forecasts relative output per head."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import (
    DataOptions,
    Free,
    ModelPath,
    PanelChoice,
    TableChoice,
    files_of_model,
    is_own,
    names_of,
    refuse,
)
from pysd_runner.cli.options import Force, Lang, Language, Seed
from pysd_runner.cli.projecting import files_of, read_fit, target
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.text import say

if TYPE_CHECKING:  # loads numpy
    from calibration.forecasting import Outlook

PANEL, AHEAD = "china", 10
# The name of the final forecaster, as in `calibration.forecasting.models`, which loads numpy.
FINAL = "gapsim"
FORECASTER_HINT = Message("; a forecaster is named by --forecaster")


@dataclass(frozen=True, kw_only=True)
class ForecastOptions:
    """What is forecast, how far and how."""

    until: Annotated[
        float | None,
        typer.Option("--until", metavar="YEAR", help="Last year, or moment [default: ten after the panel's last]."),
    ] = None
    forecaster: Annotated[
        str,
        typer.Option("--forecaster", metavar="NAME", help="One of those that `gapsim backtest` scores."),
    ] = FINAL
    fit: Annotated[
        Path | None,
        typer.Option(
            "--fit",
            help="What `gapsim calibrate` wrote: regions as in it, or the parameters of a model of your own.",
        ),
    ] = None
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="TEXT", help="Event whose probability is wanted, by a time or in it; repeatable."
        ),
    ] = None
    draws: Annotated[int, typer.Option("--draws", min=2, help="Predictive draws.")] = 1000
    seed: Seed = 0
    past: Annotated[
        bool,
        typer.Option("--past/--no-past", help="Score the same forecaster at past origins, as `gapsim backtest` does."),
    ] = True
    free: Free = None


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = (
        "gapsim forecast",
        'gapsim forecast china --until 2035 --event "west closes 10% of its gap by 2035" --out forecast',
        "gapsim forecast china --fit fit",
        "gapsim forecast mine.csv --until 2030 --forecaster damped_drift --no-past --json",
        'gapsim forecast obs.csv --model mine.mdl --until 80 --event "infected above 100 at 80" --out outlook',
    )
    command(app, "forecast", examples=examples)(forecast)


def forecast(
    session: Session,
    panel: Annotated[
        str, typer.Argument(metavar="[PANEL]", help="Panel file, or the name of a shipped panel.")
    ] = PANEL,
    *,
    asked: ForecastOptions,
    model: ModelPath = None,
    lang: Lang = Language.EN,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write figure, tables, draws and text there.")
    ] = None,
    force: Force = False,
    reading: DataOptions,
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
    if is_own(model, FORECASTER_HINT):
        assert model is not None  # noqa: S101
        refuse(reading.of_panels, Message("a model of your own has no regions"))
        refuse(
            {"--forecaster": None if asked.forecaster == FINAL else asked.forecaster}, "a table is forecast in one way"
        )
        _of_table(session, TableChoice(model=model, source=panel, options=reading), asked, out=out, force=force)
        return
    own = {"--free": asked.free, **reading.of_tables}
    refuse(own, Message("these options go with a model that takes tables (--model mine.mdl)"))
    choice = PanelChoice(source=panel, options=reading)
    # Refused before the work, not after it.
    read_files = [*choice.files, *files_of(asked.fit), *files_of_model(model)]
    folder = None if out is None else target(out, "forecast", force=force, inputs=read_files)
    fitted = None if asked.fit is None else read_fit(asked.fit)
    read = choice.read_to_compare(session, regions=() if fitted is None else fitted.regions, of="fit")
    from calibration.forecasting import forecast as forecast_of
    from calibration.forecasting import target_of
    from calibration.forecasting.forecast import check_forecast
    from calibration.forecasting.target import doubts
    from pysd_runner.model import load_model

    aim = target_of(read)
    for text in doubts(read, aim):
        session.warn(text)
    until = asked.until
    last = aim.times[-1] + AHEAD if until is None else int(until) if until.is_integer() else until
    settings: dict[str, Any] = {"until": last, "forecaster": asked.forecaster, "fit": fitted, "draws": asked.draws}
    settings |= {"seed": asked.seed, "events": asked.events or ()}
    settings["model"] = None if model is None else load_model(model)
    check_forecast(read, **settings)
    if fitted is not None:
        from pysd_runner.study.draws import panel_differences

        for text in panel_differences(fitted, read):
            session.warn(text)
    from pysd_runner.cli.projecting import keep, kept_in

    beside = asked.fit if asked.fit is not None and asked.fit.is_dir() else None
    kept = (
        None if beside is None else kept_in(beside, read, fitted, until=int(last), draws=asked.draws, seed=asked.seed)
    )
    with session.stage("Forecasting") as stage:
        result = forecast_of(read, past=asked.past, kept=kept, progress=stage.at, **settings)
    if beside is not None and kept is None and asked.forecaster == FINAL:
        keep(session, result.baseline, beside)
    # Written before anything is printed: who reads may be gone.
    if folder is not None:
        with folder:
            _write(result, folder.draft, lang.value)
    _say(session, result, lang.value)
    if folder is not None:
        session.say()
        session.say(say("forecast.table.written", lang.value, folder=folder.path))


def _say(session: Session, result: "Outlook", lang: str) -> None:
    """Print the paragraph, the last year and the events; keep everything for programs."""
    from calibration.forecasting.words import chance, paragraph
    from calibration.reporting.outlook import last_year

    session.data = {
        "panel": result.target.name,
        "model": result.model,
        "origin": result.origin,
        "seed": result.provenance["seed"],
        "draws": int(result.paths.sizes["draw"]),
        "table": result.table().to_dict("records"),
        "events": _events(result),
        "past": list(result.past),
        "past_origins": list(result.past_origins),
        "dispersion": dict(result.dispersion),
        "weights": dict(result.weights),
        "fit": result.baseline.provenance["fit"],
        "text": {"en": paragraph(result, "en"), "zh": paragraph(result, "zh")},
    }
    session.say(paragraph(result, lang))
    heading, shown = last_year(result, lang)
    session.say()
    session.say(heading)
    session.say(shown.to_string(float_format="{:.0f}".format))
    if result.chances:
        session.say()
        for item in result.chances:
            session.say(say("forecast.table.chance", lang, probability=chance(item.probability), event=item.event))


def _events(result: "Outlook") -> list[dict[str, Any]]:
    return [{"event": item.event, "year": item.year, "probability": item.probability} for item in result.chances]


def _write(result: "Outlook", out: Path, lang: str) -> None:
    """Write the report, the table, the draws, and what was asked of events and the past."""
    import pandas as pd

    from calibration.reporting.outlook import write_outlook
    from pysd_runner.export.tables import save_csv

    write_outlook(result, out, lang=lang)
    save_csv(result.table(), out / "table.csv")
    for name, rows in (("events", _events(result)), ("past", list(result.past))):
        if rows:
            save_csv(pd.DataFrame(rows), out / f"{name}.csv")
    result.baseline.save(out)


def _of_table(
    session: Session,
    choice: TableChoice,
    asked: ForecastOptions,
    *,
    out: Path | None,
    force: bool,
) -> None:
    """Forecast what a table observes with a model of one's own."""
    from calibration.fitting.results import FitResult
    from calibration.forecasting import forecast as forecast_of
    from pysd_runner.study.equations import check_equations

    if asked.until is None:
        raise InvalidInput("say how far to forecast: --until 80, in the unit of the model's time")
    folder = None if out is None else target(out, "forecast", force=force, inputs=[*choice.files, *files_of(asked.fit)])
    model = choice.load_model()
    table = choice.load(session)
    assert table is not None  # noqa: S101
    found = None if asked.fit is None else FitResult.load(asked.fit)
    if found is not None:
        check_equations(model, found.fitted.provenance.get("equations", {}), f"the fit in {asked.fit}")
    with session.stage("Forecasting") as stage:
        outlook = forecast_of(
            table,
            model=model,
            until=asked.until,
            fit=found,
            free=names_of(asked.free),
            draws=asked.draws,
            seed=asked.seed,
            events=asked.events or [],
            past=asked.past,
            progress=stage.at,
        )
    if folder is not None:
        with folder:
            outlook.save(folder.draft)
    for line in outlook.sentences():
        session.say(line)
    session.data = {
        "table": outlook.to_frame().to_dict("records"),
        "weights": dict(outlook.weights),
        "events": dict(outlook.events),
        "past": list(outlook.past),
        "text": list(outlook.sentences()),
    }
    if folder is not None:
        session.say()
        session.say(f"Figure, tables and text: {folder.path}")
