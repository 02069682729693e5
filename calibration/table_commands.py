"""What ``gapsim calibrate`` does for a model of one's own."""

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysd_runner.cli.projecting import target
from pysd_runner.cli.session import Session
from pysd_runner.cli.tables import TableChoice
from pysd_runner.errors import CalibrationFailed

if TYPE_CHECKING:  # these load numpy
    from calibration.general.problem import TableProblem
    from calibration.results import FitResult


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFitting:
    """What is asked of a calibration of a model of one's own."""

    choice: TableChoice
    free: list[str] | None
    start: float | None
    until: float | None
    starts: int
    seed: int
    optimiser: str | None
    seconds: float | None
    workers: int
    checkpoint: Path | None
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
    with folder:
        found = _fitted(session, problem, asked)
        found.save(folder.draft)
        found = _judged(session, problem, found, folder.draft, profiles=asked.profiles)
        if asked.sample is not None:
            found = _sampled(session, problem, found, folder.draft, draws=asked.sample, seed=asked.seed)
        for path in found.save(folder.draft).iterdir():
            folder.finished(path.name)
        _write(session, found, problem, folder.draft)
    _say(session, found)
    session.data = {"folder": folder.path, **_data(found)}
    session.say()
    session.say(f"Fit: {folder.path}")
    session.say(f"  Start with {folder.path / 'report.html'}, or report.md beside it.")
    session.say(f"  `gapsim run scenario.yaml --model {choice.model} --fit {folder.path}` runs scenarios with it.")
    failed = found.check()
    if failed:
        lines = "\n  ".join(item.message for item in failed)
        raise CalibrationFailed(
            f"the diagnostics of the calibration failed; look at the result in {folder.path} before you use it:\n  {lines}"
        )


def _problem(session: Session, asked: TableFitting) -> "TableProblem":
    from calibration.general.problem import TableProblem

    model = asked.choice.load_model()
    table = asked.choice.load(session)
    assert table is not None  # noqa: S101
    return TableProblem(model, table, free=asked.free, start=asked.start, until=asked.until, seed=asked.seed)


def _fitted(session: Session, problem: "TableProblem", asked: TableFitting) -> "FitResult":
    from concurrent.futures import ThreadPoolExecutor

    from calibration.fit import fit

    if asked.checkpoint is not None:
        session.kept.append(f"Finished searches are kept in {asked.checkpoint}; the same command goes on from there.")
    with (
        session.stage("Calibrating") as stage,
        ThreadPoolExecutor(asked.workers) if asked.workers > 1 else nullcontext() as executor,
    ):
        return fit(
            problem,
            starts=asked.starts,
            seed=asked.seed,
            optimiser=asked.optimiser,
            seconds=asked.seconds,
            executor=executor,
            checkpoint=asked.checkpoint,
            progress=stage.at,
        )


def _judged(
    session: Session, problem: "TableProblem", found: "FitResult", folder: Path, *, profiles: bool
) -> "FitResult":
    from calibration.uncertainty import identify
    from pysd_runner.export.frames import save_csv

    with session.stage("Asking what is data and what is prior") as stage:
        verdicts = identify(
            problem, found, profiles=profiles, progress=lambda done, count: stage.at("profiling", done, count)
        )
    save_csv(verdicts.table(), folder / "identifiability.csv")
    if profiles:
        save_csv(verdicts.curves(), folder / "profiles.csv")
    return verdicts.attached(found)


def _sampled(
    session: Session, problem: "TableProblem", found: "FitResult", folder: Path, *, draws: int, seed: int
) -> "FitResult":
    from calibration.uncertainty import sample
    from pysd_runner.export.frames import save_csv

    with session.stage("Sampling the posterior") as stage:
        made = sample(
            problem,
            found,
            draws,
            seed=seed,
            progress=lambda done, count: stage.at("steps of every walker", done, count),
        )
    save_csv(made.table(), folder / "posterior.csv")
    finding = made.convergence.finding()
    if finding is not None:
        session.warn(finding.message)
    return made.attached(found)


def _write(session: Session, found: "FitResult", problem: "TableProblem", folder: Path) -> None:
    """Draw the fit and write its report."""
    from calibration.reporting.table_fit import write_table_report

    with session.stage("Drawing the fit and writing its report"):
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
