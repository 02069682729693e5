"""What ``gapsim calibrate``, ``forecast`` and ``backtest`` do for a model of one's own."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration.commands import steps
from pysd_runner.cli.data_options import TableChoice, names_of
from pysd_runner.cli.projecting import files_of, target
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

# Scores of a back-test that are printed.
SHOWN = ("model", "horizon", "origins", "rmse", "crps", "coverage_50", "coverage_90")
RATIOS = ("rmse_ratio_to_persistence", "crps_ratio_to_persistence")

if TYPE_CHECKING:  # these load numpy
    from calibration.commands.backtest import BacktestOptions
    from calibration.commands.calibrate import FitOptions
    from calibration.commands.forecast import ForecastOptions
    from calibration.fitting.problem import CalibrationProblem
    from calibration.fitting.results import FitResult


def calibrate_table(
    session: Session, choice: TableChoice, asked: "FitOptions", search: steps.Search, *, out: Path | None, force: bool
) -> None:
    """Fit a model of one's own to a table, and write the parameters with their uncertainty."""
    folder = target(out, f"fit-{Path(choice.source or '').stem}", force=force, inputs=choice.files)
    problem = _problem(session, choice, asked, search.seed)
    session.note(str(problem.describe()))
    search.tell(session)
    with folder:
        found = steps.fitted(session, problem, search)
        found.save(folder.draft)
        found = steps.judged(session, problem, found, folder.draft, search, profiles=asked.profiles)
        if asked.sample is not None:
            found = steps.sampled(session, problem, found, folder.draft, search, draws=asked.sample)
        for path in found.save(folder.draft).iterdir():
            folder.finished(path.name)
        _write(session, found, problem, folder.draft)
    _say(session, found)
    session.data = {"folder": folder.path, **_data(found)}
    session.say()
    session.say(Message("Fit: {folder}", folder=folder.path))
    session.say(Message("  Start with {page}, or report.md beside it.", page=folder.path / "report.html"))
    session.say(f"  `gapsim run scenario.yaml --model {choice.model} --fit {folder.path}` runs scenarios with it.")
    steps.refuse_failed(found, folder.path)


def _problem(session: Session, choice: TableChoice, asked: "FitOptions", seed: int) -> "CalibrationProblem":
    from calibration.fitting.problem import CalibrationProblem

    model = choice.load_model()
    table = choice.load(session)
    assert table is not None  # noqa: S101
    return CalibrationProblem(model, table, free=names_of(asked.free), start=asked.start, until=asked.until, seed=seed)


def _write(session: Session, found: "FitResult", problem: "CalibrationProblem", folder: Path) -> None:
    """Draw the fit and write its report."""
    from calibration.reporting.report import write_table_report

    with session.stage(Message("Drawing the fit and writing its report")):
        write_table_report(found, folder, description=problem.describe())


def _say(session: Session, found: "FitResult") -> None:
    for line in found.summary().splitlines():
        session.say(line)
    session.warnings += [str(item) for item in found.findings if str(item) not in session.warnings]


def _data(found: "FitResult") -> dict[str, Any]:
    return {
        "status": found.fitted.status,
        "message": found.fitted.message,
        "data": found.fitted.panel,
        "start": found.fitted.first_year,
        "stop": found.fitted.last_year,
        "parameters": found.table().to_dict("records"),
        "held_out": [asdict(item) for item in found.holdout],
        "diagnostics_failed": [str(item) for item in found.check()],
        "seconds": found.seconds,
    }


def forecast_own(
    session: Session,
    choice: TableChoice,
    asked: "ForecastOptions",
    *,
    out: Path | None,
    force: bool,
) -> None:
    """Forecast what a table observes with a model of one's own."""
    from calibration.fitting.results import FitResult
    from calibration.forecasting import forecast
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
        outlook = forecast(
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


def backtest_own(
    session: Session,
    choice: TableChoice,
    asked: "BacktestOptions",
    search: steps.Search,
    *,
    out: Path | None,
    force: bool,
) -> None:
    """Score forecasts with a model of one's own at past origins."""
    from calibration.forecasting import backtest
    from pysd_runner.export.tables import save_csv
    from pysd_runner.reports.folders import check_file, save_whole

    if out is not None:
        check_file(out, ".csv", replace=force, inputs=choice.files)
    model = choice.load_model()
    table = choice.load(session)
    assert table is not None  # noqa: S101
    settings: dict[str, Any] = {"horizons": tuple(asked.horizons)} if asked.horizons else {}
    search.tell(session)
    with session.stage("Scoring past forecasts") as stage, search.pool(len(table.times)) as pool:
        found = backtest(
            table,
            model=model,
            free=names_of(asked.free),
            draws=asked.draws,
            seed=search.seed,
            executor=pool.executor,
            checkpoint=search.store,
            progress=stage.at,
            **settings,
        )
    skill = found.table()
    session.data = {"skill": found.skill()}
    if out is not None:
        save_whole(out, ".csv", lambda path: save_csv(skill, path), replace=force)
    session.say(skill[[*SHOWN, *RATIOS]].to_string(index=False, float_format="{:.3f}".format))
