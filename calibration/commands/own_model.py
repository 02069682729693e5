"""What ``gapsim calibrate``, ``forecast`` and ``backtest`` do for a model of one's own."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration.commands import steps
from pysd_runner.cli.projecting import files_of, target
from pysd_runner.cli.session import Session
from pysd_runner.cli.tables import TableChoice
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:  # these load numpy
    from calibration.fitting.problem import CalibrationProblem
    from calibration.fitting.results import FitResult


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFitting:
    """What is asked of a calibration of a model of one's own."""

    choice: TableChoice
    free: list[str] | None
    start: float | None
    until: float | None
    search: steps.Search
    profiles: bool
    sample: int | None


def calibrate_table(session: Session, asked: TableFitting, *, out: Path | None, force: bool) -> None:
    """Fit a model of one's own to a table, and write the parameters with their uncertainty.

    Parameters
    ----------
    session
        Where to say things.
    asked
        Model, data and settings.
    out
        Folder for the fit; None takes a new one.
    force
        Whether to replace what is there.

    Raises
    ------
    CalibrationFailed
        If a diagnostic failed; the fit was written.
    """
    choice = asked.choice
    folder = target(out, f"fit-{Path(choice.source or '').stem}", force=force, inputs=choice.files)
    problem = _problem(session, asked)
    session.note(str(problem.describe()))
    asked.search.tell(session)
    with folder:
        found = steps.fitted(session, problem, asked.search)
        found.save(folder.draft)
        found = steps.judged(session, problem, found, folder.draft, asked.search, profiles=asked.profiles)
        if asked.sample is not None:
            found = steps.sampled(session, problem, found, folder.draft, asked.search, draws=asked.sample)
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


def _problem(session: Session, asked: TableFitting) -> "CalibrationProblem":
    from calibration.fitting.problem import CalibrationProblem

    model = asked.choice.load_model()
    table = asked.choice.load(session)
    assert table is not None  # noqa: S101
    return CalibrationProblem(
        model, table, free=asked.free, start=asked.start, until=asked.until, seed=asked.search.seed
    )


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
    *,
    until: float | None,
    fit: Path | None,
    free: list[str] | None,
    events: list[str],
    draws: int,
    seed: int,
    past: bool,
    out: Path | None,
    force: bool,
) -> None:
    """Forecast what a table observes with a model of one's own.

    Parameters
    ----------
    session
        Where to say things.
    choice
        Model and data.
    until
        Last moment.
    fit
        Folder of a fit to go by.
    free, events, draws, seed, past
        As for `calibration.forecasting.own.forecast_table`.
    out, force
        Folder to write, if any; whether to replace what is there.
    """
    from calibration.fitting.results import FitResult
    from calibration.forecasting.own import forecast_table
    from pysd_runner.study.equations import check_equations

    if until is None:
        raise InvalidInput("say how far to forecast: --until 80, in the unit of the model's time")
    folder = None if out is None else target(out, "forecast", force=force, inputs=[*choice.files, *files_of(fit)])
    model = choice.load_model()
    table = choice.load(session)
    assert table is not None  # noqa: S101
    found = None if fit is None else FitResult.load(fit)
    if found is not None:
        check_equations(model, found.fitted.provenance.get("equations", {}), f"the fit in {fit}")
    with session.stage("Forecasting") as stage:
        outlook = forecast_table(
            table,
            model=model,
            until=until,
            fit=found,
            free=free,
            draws=draws,
            seed=seed,
            events=events,
            past=past,
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
        "past": outlook.past.to_dict("records"),
        "text": list(outlook.sentences()),
    }
    if folder is not None:
        session.say()
        session.say(f"Figure, tables and text: {folder.path}")


def backtest_own(
    session: Session,
    choice: TableChoice,
    *,
    free: list[str] | None,
    horizons: list[int],
    draws: int,
    search: steps.Search,
    out: Path | None,
    force: bool,
) -> None:
    """Score forecasts with a model of one's own at past origins.

    Parameters
    ----------
    session
        Where to say things.
    choice
        Model and data.
    free, horizons, draws
        As for `calibration.forecasting.own.backtest_table`.
    search
        What decides the fits, where they are computed and where they are kept.
    out, force
        CSV file to write, if any; whether to replace it.
    """
    from calibration.forecasting.own import backtest_table
    from pysd_runner.export.tables import save_csv
    from pysd_runner.reports.folders import check_file, save_whole

    if out is not None:
        check_file(out, ".csv", replace=force, inputs=choice.files)
    model = choice.load_model()
    table = choice.load(session)
    assert table is not None  # noqa: S101
    settings: dict[str, Any] = {"horizons": tuple(horizons)} if horizons else {}
    search.tell(session)
    with session.stage("Scoring past forecasts") as stage, search.pool(len(table.times)) as pool:
        found = backtest_table(
            table,
            model=model,
            free=free,
            draws=draws,
            seed=search.seed,
            executor=pool.executor,
            checkpoint=search.store,
            progress=stage.at,
            **settings,
        )
    skill = found.skill()
    session.data = {"skill": skill.to_dict("records")}
    if out is not None:
        save_whole(out, ".csv", lambda path: save_csv(skill, path), replace=force)
    session.say(skill.to_string(index=False, float_format="{:.3f}".format))
