"""The command that evaluates a calibrated model or a model file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice, choose
from pysd_runner.cli.options import (
    OF_REGIONS,
    SHIPPED_PANEL,
    DataOptions,
    Force,
    ModelPath,
    Seed,
    Until,
)
from pysd_runner.cli.projecting import files_of, target
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import CalibrationFailed, InvalidInput, Message, SimulationFailed

if TYPE_CHECKING:  # slow imports (numpy)
    from calibration.evaluation import Evaluation, Subject
    from calibration.fitting.results import FitResult

# Sections of an evaluation whose failures are faults of the model itself, as in `gapsim run --check`.
COMPUTED = ("structure", "numerics")


@dataclass(frozen=True, kw_only=True)
class EvaluatedOptions:
    """Options for the data on which a fit is evaluated."""

    panel: Annotated[
        str | None,
        typer.Option(
            "--data",
            "--panel",
            help="File of data, or the name of a shipped panel [default: that of the fit, or else china].",
        ),
        OF_REGIONS,
    ] = None
    until: Annotated[Until, OF_REGIONS] = None


@command(
    "evaluate",
    "gapsim evaluate",
    "gapsim evaluate fit --out evaluation",
    "gapsim evaluate my_fit --panel mine.csv --regions regions.csv --quick",
    "gapsim evaluate --model mine.mdl",
)
def evaluate(
    session: Session,
    fit: Annotated[
        Path | None,
        typer.Argument(metavar="[FIT]", help="What `gapsim calibrate` wrote [default: calibrates first]."),
    ] = None,
    *,
    asked: EvaluatedOptions,
    model: ModelPath = None,
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller designs, for a first look.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write [default: a new one under results/].")
    ] = None,
    reading: DataOptions,
    force: Force = False,
) -> int:
    """Evaluate a calibrated model: what passed, what failed, what could not be tested and why.

    Fit, residuals, patterns of behaviour, structure, numerics, sensitivity and ranking of policies, as Markdown, HTML,
    CSV and JSON. Without a fit the panel is calibrated first, and the fit kept in the folder. Exit
    code 4 when a test of structure or numerics failed, 3 when another one did; the report is written anyway.
    """
    from calibration.evaluation import Subject
    from calibration.evaluation import evaluate as all_tests
    from calibration.fitting.results import FitResult
    from calibration.reporting.evaluation import write_evaluation

    choice = choose(model, asked.panel, reading, asked)
    loaded = None if fit is None else FitResult.load(fit)
    if loaded is not None and not (choice.is_regional and loaded.fitted.regions):
        raise InvalidInput(
            "evaluate takes no fits of models without regions; `gapsim evaluate --model mine.mdl` tests the model alone"
        )
    name = "evaluation" if choice.is_regional else f"evaluation-{Path(str(model)).stem}"
    # Unless given, the panel is that of the fit.
    choice = replace(choice, source=asked.panel)
    folder = target(out, name, force=force, inputs=[*choice.files, *files_of(fit)])
    if choice.is_regional:
        subject = _calibrated(session, loaded, choice, asked.until, seed)
    else:
        subject = Subject.of_model(choice.load_model())
    with session.stage(Message("Evaluating")) as stage:
        found = all_tests(subject, seed=seed, quick=quick, progress=stage.at)
    with folder:
        if fit is None and subject.calibrated is not None:
            subject.calibrated.result.save(folder.draft / steps.FIT)
        with session.stage(Message("Writing the report")):
            write_evaluation(found, folder.draft, lang=session.lang)
    return _tell(session, found, folder.path)


def _calibrated(
    session: Session, found: "FitResult | None", choice: DataChoice, until: float | None, seed: int
) -> "Subject":
    """Read the panel of a fit; calibrate first if no fit is given."""
    from calibration.evaluation import Subject
    from calibration.evaluation.subject import UNTIL
    from calibration.fitting.problem import CalibrationProblem

    source = choice.source or (SHIPPED_PANEL if found is None else steps.panel_of(found.fitted))
    panel = replace(choice, source=source).read(session, None if found is None else found.fitted)
    if found is None:
        problem = CalibrationProblem(choice.load_model(panel), panel)
        found = steps.fitted(session, problem, steps.Search(seed=seed))
        for item in found.findings:
            session.warn(Message("calibration: {said}", said=item.message))
    model = None if choice.model is None else choice.load_model()
    return Subject.of_fit(found, panel, until=UNTIL if until is None else int(until), model=model)


def _tell(session: Session, found: "Evaluation", folder: Path) -> int:
    """Print the summary and the failed tests, and return the exit code."""
    from calibration.evaluation.judgement import judgement_rows
    from calibration.reporting.evaluation import counts, summary_line

    session.say(summary_line(found, lang=session.lang))
    rows = judgement_rows(found.failed, lang=session.lang)
    for row in rows:
        session.say(f"  {row['title']}: {row['subject']}")
    session.say(Message("Report: {folder}", folder=folder / "evaluation.md"))
    tests = judgement_rows(found.judgements, lang=session.lang)
    session.data = {"folder": folder, **counts(found), "tests": tests}
    if any(row["section"] in COMPUTED for row in rows):
        return SimulationFailed.exit_code
    return CalibrationFailed.exit_code if rows else 0
