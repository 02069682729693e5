"""The commands that evaluate a model, and that show the measured effects beside it and what it implies for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calibration.commands import steps
from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice, choose
from pysd_runner.cli.options import MODEL, OF_REGIONS, SHIPPED_PANEL, Force, ModelPath, Reading, Seed, Until
from pysd_runner.cli.projecting import files_of, target, tell_folder
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import read_fit
from pysd_runner.core.errors import CalibrationFailed, InvalidInput, Message, SimulationFailed
from pysd_runner.text import translate

if TYPE_CHECKING:  # slow imports (numpy)
    import pandas as pd

    from calibration.evaluation import Evaluation, Subject
    from calibration.fitting.results import Fit
    from pysd_runner.data import Data
    from pysd_runner.evidence.ledger import Ledger
    from pysd_runner.spec import FittedParameters

# Sections of an evaluation whose failures are faults of the model itself, as in `gapsim run --check`.
COMPUTED = ("structure", "numerics")
DataOfFit = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="File of data, or the name of a shipped panel [default: that of the fit, or else china].",
    ),
]
# Effects of at least this size are shown with one decimal.
_LARGE = 10


@dataclass(frozen=True, kw_only=True)
class EvaluatedOptions:
    """Options for the data on which a fit is evaluated."""

    panel: Annotated[DataOfFit, OF_REGIONS] = None
    until: Annotated[Until, OF_REGIONS] = None


@command(
    "evaluate",
    "gapsim evaluate",
    "gapsim evaluate fit --out evaluation",
    "gapsim evaluate my_fit --data mine.csv --quick",
    "gapsim evaluate fit --model mine.mdl",
)
def evaluate(
    session: Session,
    fit: Annotated[
        Path | None, typer.Argument(metavar="[FIT]", help="What `gapsim calibrate` wrote [default: calibrates first].")
    ] = None,
    *,
    asked: EvaluatedOptions,
    model: ModelPath = None,
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller designs, for a first look.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write [default: a new one under results/].")
    ] = None,
    reading: Reading = None,
    force: Force = False,
) -> int:
    """Evaluate a calibrated model: what passed, what failed, what could not be tested and why.

    Fit, residuals, structure, numerics and sensitivity, as Markdown, HTML and CSV. Without a fit the panel is
    calibrated first, and the fit kept in the folder; a model of one's own is then evaluated by itself. Exit code 4 when
    a test of structure or numerics failed, 3 when another one did; the report is written anyway.
    """
    from calibration.evaluation import evaluate as all_tests
    from calibration.fitting.results import Fit
    from calibration.reporting.pages import write_evaluation

    choice = choose(model, asked.panel, reading, asked)
    loaded = None if fit is None else Fit.load(fit)
    name = "evaluation" if model is None else f"evaluation-{model.stem}"
    # Unless given, the panel is that of the fit.
    choice = replace(choice, source=asked.panel)
    folder = target(out, name, force=force, inputs=[*choice.files, *files_of(fit)])
    subject = _SUBJECTS[choice.design.target](session, loaded, choice, asked.until, seed)
    with session.stage(Message("Evaluating")) as stage:
        found = all_tests(subject, seed=seed, quick=quick, progress=stage.at)
    with folder:
        if fit is None and subject.fit is not None:
            subject.fit.save(folder.draft / steps.FIT)
        with session.stage(Message("Writing the report")):
            write_evaluation(found, folder.draft, lang=session.lang)
    return _tell(session, found, folder.path)


def _with_data(session: Session, found: "Fit | None", choice: DataChoice, until: float | None, seed: int) -> "Subject":
    """Read the data of a fit; calibrate first if no fit is given."""
    from calibration.evaluation import Subject
    from calibration.fitting.problem import Problem

    if found is not None and choice.model is None and found.fitted.model != MODEL:
        raise InvalidInput(
            "the fit is one of model {model!r}; name its file, as in `gapsim evaluate FIT --model mine.mdl`",
            model=found.fitted.model,
        )
    source = choice.source or (SHIPPED_PANEL if found is None else steps.panel_of(found.fitted))
    panel = replace(choice, source=source).read(session, None if found is None else found.fitted)
    if found is None:
        problem = Problem(choice.load_model(panel), panel)
        found = steps.fitted(session, problem, steps.Search(seed=seed))
        for item in found.findings:
            session.warn(Message("calibration: {said}", said=item.message))
    model = None if choice.model is None else choice.load_model()
    return Subject.of_fit(found, panel, until=until, model=model)


def _alone(_session: Session, found: "Fit | None", choice: DataChoice, _until: float | None, _seed: int) -> "Subject":
    """The model at the estimates of its fit or, without a fit, with the values in its file."""
    from calibration.evaluation import Subject

    model = choice.load_model()
    return Subject.of_model(model) if found is None else Subject.of_fit(found, model=model)


_SUBJECTS = {"relative_output": _with_data, "columns": _alone}


def _tell(session: Session, found: "Evaluation", folder: Path) -> int:
    """Print the summary and the failed tests, and return the exit code."""
    from calibration.evaluation.judgement import judgement_rows
    from calibration.reporting.pages import counts, summary_line

    session.say(summary_line(found, lang=session.lang))
    rows = judgement_rows(found.failed, lang=session.lang)
    for row in rows:
        session.say(
            Message("  {test}: {subject}", test=row["title"], subject=found.named(row["subject"], session.lang))
        )
    session.say(Message("Report: {folder}", folder=folder / "evaluation.md"))
    tests = judgement_rows(found.judgements, lang=session.lang)
    session.data = {"folder": folder, **counts(found), "tests": tests}
    if any(row["section"] in COMPUTED for row in rows):
        return SimulationFailed.exit_code
    return CalibrationFailed.exit_code if rows else 0


@command(
    "evidence",
    "gapsim evidence",
    "gapsim evidence --lang zh --out evidence",
    "gapsim evidence --fit my_fit --out evidence",
    "gapsim evidence my_model --json",
)
def evidence(
    session: Session,
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="A shipped model, or the path of one with a folder evidence/.")
    ] = MODEL,
    *,
    fit: Annotated[
        Path | None,
        typer.Option("--fit", metavar="FOLDER", help="What `gapsim calibrate` wrote [default: the priors]."),
    ] = None,
    panel: DataOfFit = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Write the ledger and its pools there, as CSV, and the page [default: with --fit a new one under "
            "results/].",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Show the measured effects and unit costs beside a model: how many by lever, pooled, and how well they agree.

    Pools are random-effects means with 90 % intervals; predictive ones, in which the effect of another study lies,
    contain the spread between studies. Each trial is also predicted from the others. The README beside the files gives
    the columns, the formulas and their limits. With --out or --fit, a page holds what the model implies for its
    evidence terms against what was measured, before and after a fit.
    """
    from pysd_runner.core.paths import model_file
    from pysd_runner.evidence.ledger import FOLDER, load_ledger
    from pysd_runner.reports.document import aligned, filled

    inputs = [model_file(model).parent / FOLDER, *files_of(fit)]
    is_written = out is not None or fit is not None
    folder = target(out, "evidence", force=force, inputs=inputs) if is_written else None
    fitted = None if fit is None else read_fit(fit)
    ledger = load_ledger(model)
    tables = {"levers": ledger.levers(), "pools": ledger.pools(), "leave_one_out": ledger.predicted()}
    session.data = {name: table.to_dict("records") for name, table in tables.items()}
    session.data |= {name: getattr(ledger, name).to_dict("records") for name in ("effects", "costs")}
    if folder is not None:
        from pysd_runner.export.files import save_csv

        with folder:
            for name, table in {"effects": ledger.effects, "costs": ledger.costs, **tables}.items():
                save_csv(table, folder.draft / f"{name}.csv")
            page = _page(session, model, ledger, fitted, panel, folder.draft)
    counts = {str(name): total for name, total in tables["levers"].sum(numeric_only=True).items()}
    session.say(translate("evidence.list counts", session.lang, model=model, **counts))
    for rows in (_levers(tables["levers"], model, session.lang), _pools(tables["pools"], session.lang)):
        session.say()
        for line in aligned(rows, words={0}):
            session.say(line)
    session.say()
    for line in filled(_agreement(tables["leave_one_out"], session.lang)):
        session.say(line)
    if folder is not None:
        tell_folder(session, folder.path, page)


def _page(
    session: Session, name: str, ledger: "Ledger", fitted: "FittedParameters | None", panel: str | None, folder: Path
) -> str:
    """Write the page on the effects that the model implies; return its name, or nothing without evidence terms."""
    from pysd_runner.evidence.findings import findings
    from pysd_runner.model import load_model
    from pysd_runner.reports.measured import NAME, write_evidence
    from pysd_runner.spec.load import design_at

    data = _READ[design_at(name).target](session, panel, fitted)
    model = load_model(name, regions=None if data is None else data.count)
    if fitted is None and (model.spec is None or not model.spec.evidence):
        return ""
    with session.stage(Message("Holding the model against measured effects")):
        found = findings(model, data, fitted)
    with session.stage(Message("Writing the report")):
        write_evidence(found, ledger, folder, lang=session.lang)
    return NAME


def _panel(session: Session, panel: str | None, fitted: "FittedParameters | None") -> "Data":
    """The panel that was named, or that of a fit."""
    source = panel or (SHIPPED_PANEL if fitted is None else steps.panel_of(fitted))
    return DataChoice(source=source).read(session, fitted)


def _no_data(*_: Any) -> None:
    """Return no data: only the experiments of regional models need them."""


_READ: "Mapping[str, Callable[..., Data | None]]" = {"relative_output": _panel, "columns": _no_data}


def _levers(found: "pd.DataFrame", model: str, lang: str) -> list[list[str]]:
    """Counts by lever, with their heading."""
    from pysd_runner.scenarios.vocabulary import load_vocabulary
    from pysd_runner.spec.load import design_at

    found_in = {"relative_output": load_vocabulary}.get(design_at(model).target)
    known = {} if found_in is None else found_in(model).levers
    names = {key: getattr(lever, lang) for key, lever in known.items()} | {"mixed": translate("evidence.mixed", lang)}
    rows = [[names.get(key, key), *map(str, counts)] for key, *counts in found.itertuples(index=False)]
    return [[translate(f"evidence.list {name}", lang) for name in found], *rows]


def _pools(found: "pd.DataFrame", lang: str) -> list[list[str]]:
    """Pools by quantity and variant, with their heading."""
    heads = ("variant", "values", "mean", "predictive", "inside")
    rows = [[translate(f"evidence.list {name}", lang) for name in heads]]
    for quantity, pools in found.groupby("quantity", sort=False):
        rows.append([f"{quantity}: {translate(f'evidence.basis_{quantity}', lang)}", "", "", "", ""])
        for one in pools.itertuples():
            mean = f"{_number(one.mean)} ({_number(one.low)}…{_number(one.high)})"
            ahead = f"{_number(one.predictive_low)}…{_number(one.predictive_high)}"
            name = "  " + translate(f"evidence.variant {one.variant}", lang)
            rows.append([name, str(one.count), mean, ahead, f"{one.inside}/{one.predicted}"])
    return rows


def _agreement(found: "pd.DataFrame", lang: str) -> str:
    """How many trials lie where the others predict, and which do not."""
    outside = found[~found["is_inside"]]
    names = [
        f"{one.trial} ({one.quantity} {_number(one.value)}; {_number(one.low)}…{_number(one.high)})"
        for one in outside.itertuples()
    ]
    counts = {"count": len(found), "inside": len(found) - len(outside)}
    return translate("evidence.list agreement", lang, **counts, names=", ".join(names) or "-")


def _number(value: Any) -> str:
    return f"{value:.2f}" if abs(value) < _LARGE else f"{value:.1f}"
