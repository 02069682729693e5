"""``gapsim explore``: a model as one HTML page that runs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import TableChoice, TableOptions, is_model_file, refuse
from pysd_runner.cli.options import Force, Lang, Language, OptionalSeed
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import ProjectionInputs

DRAWS = 32
NAME, ENDING = "explorer.html", ".html"
# What a page starts with that nobody gave scenarios: the policy and its yardstick.
OFFERED = ("zoned_need", "uniform_per_head")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = (
        "gapsim explore --out explorer.html",
        "gapsim explore results/demo --draws 64 --out explorer.html",
        "gapsim explore mine.mdl --data obs.csv --fit fit --out mine.html",
    )
    command(app, "explore", examples=examples)(explore)


def explore(
    session: Session,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[RESULTS|MODEL]",
            help="Results of `gapsim run` or `demo`, or a Vensim or XMILE model of your own [default: the shipped "
            "model and panel, with priors].",
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML file to write [default: explorer.html, beside RESULTS].")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Draws written into the page.")] = DRAWS,
    until: Annotated[float | None, typer.Option("--until", help="Last year, or moment [default: 2040].")] = None,
    seed: OptionalSeed = None,
    fit: Annotated[Path | None, typer.Option("--fit", help="What `gapsim calibrate` wrote.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Own model: observations drawn beside the outcomes.")
    ] = None,
    reading: TableOptions,
    outcome: Annotated[
        list[str] | None,
        typer.Option("--outcome", metavar="NAME", help="Own model: variable that is drawn; repeatable."),
    ] = None,
    lang: Lang = Language.EN,
    force: Force = False,
) -> None:
    """Write one HTML page that runs the model: sliders, uncertainty, and no policy on the same draws beside it.

    The page asks no server for anything and can be sent by mail. What is chosen in it can be taken along as a scenario
    that `gapsim run` repeats.
    """
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.reports.folders import check_file, save_whole

    path = _target(out, source)
    read = [item for item in (source, data, fit) if item is not None]
    check_file(path, ENDING, replace=force, inputs=read)
    if source is not None and is_model_file(source):
        choice = TableChoice(model=Path(source), source=data, options=reading)
        text = _own(session, choice, fit=fit, until=until, draws=draws, seed=seed or 0, outcomes=outcome, lang=lang)
    else:
        own = {"--data": data, **reading.given, "--outcome": outcome}
        refuse(own, Message("these options go with a model of your own"))
        last = None if until is None else int(until)
        text = _regional(session, source, fit=fit, until=last, draws=draws, seed=seed, lang=lang)
    save_whole(path, ENDING, lambda file: write_text_whole(file, text), replace=force)
    session.data = {"file": path, "bytes": len(text.encode())}
    session.say(
        Message(
            "{file} ({size:,.0f} kB): open it in a browser; it needs no network.",
            file=path,
            size=len(text.encode()) / 1000,
        )
    )


def _target(out: Path | None, source: str | None) -> Path:
    """File that is written: beside results, else in the folder one works in."""
    if out is not None:
        if not out.resolve().parent.is_dir():
            raise InvalidInput("--out: there is no folder {folder!r}", folder=str(out.resolve().parent))
        return out
    return Path(source) / NAME if source is not None and Path(source).is_dir() else Path(NAME)


def _regional(
    session: Session,
    source: str | None,
    *,
    fit: Path | None,
    until: int | None,
    draws: int,
    seed: int | None,
    lang: str,
) -> str:
    from pysd_runner.explorer.page import page_of
    from pysd_runner.explorer.policies import policies_explored
    from pysd_runner.scenarios import load_scenario

    if source is None:
        inputs, call = _shipped(session, fit=fit, until=until, draws=draws, seed=seed or 0)
        scenarios, told = [load_scenario(name, model=inputs.model) for name in OFFERED], None
    else:
        refuse({"--fit": fit, "--until": until, "--seed": seed is not None}, Message("results are used as they are"))
        inputs, scenarios, call, told = _results(session, Path(source), draws=draws)
    for text in _doubts(inputs):
        session.warn(text)
    with session.stage(Message("Compiling the model for browsers")):
        return page_of(policies_explored(inputs, scenarios, told=told), lang=lang, command=call)


def _doubts(inputs: "ProjectionInputs") -> list[str]:
    if inputs.fitted is None:
        return [Message("No calibration was given: every parameter is drawn from its prior.")]
    return []


def _shipped(
    session: Session, *, fit: Path | None, until: int | None, draws: int, seed: int
) -> "tuple[ProjectionInputs, str]":
    """The shipped panel, as `gapsim run` starts from it."""
    from pysd_runner.cli.options import SHIPPED_PANEL
    from pysd_runner.cli.projecting import MODEL, baseline_of, read_fit, settings_of
    from pysd_runner.model import load_model
    from pysd_runner.panel import load_data
    from pysd_runner.study.inputs import inputs_of, last_origin

    panel = load_data(SHIPPED_PANEL, panel=True)
    fitted = None if fit is None else read_fit(fit)
    model = load_model(MODEL, regions=len(panel.regions))
    seen = panel.subset(times=range(panel.years[0], last_origin(panel) + 1))
    settings = settings_of(model, panel, fitted, {"until": until, "draws": draws, "seed": seed})
    last = settings["until"]
    folder = fit if fit is not None and fit.is_dir() else None
    baseline = None
    if last > seen.years[-1]:
        baseline = baseline_of(session, seen, fitted, folder, model=model, until=last, draws=draws, seed=seed)
    with session.stage(Message("Drawing what every scenario starts from")):
        inputs = inputs_of(model, seen, fitted, baseline=baseline, **settings)
    call = f"gapsim run SCENARIO --draws {draws} --until {last} --seed {seed}"
    return inputs, call + (f" --fit {fit}" if fit is not None else "") + (
        "" if baseline is not None else " --open-loop"
    )


def _results(
    session: Session, folder: Path, *, draws: int
) -> "tuple[ProjectionInputs, list[Scenario], str, dict[str, object]]":
    """What the scenarios of a folder of results started from, and what its summary says of them."""
    from pysd_runner.explorer.policies import EFFECTS
    from pysd_runner.model import load_model
    from pysd_runner.reports.replay import is_record, read_inputs
    from pysd_runner.reports.results import summarised
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.inputs import inputs_of
    from pysd_runner.study.keeping import RECORD
    from pysd_runner.study.loading import check_files, read_run_record

    folder = folder.parent if folder.is_file() else folder
    file = folder / RECORD
    if not is_record(file):
        raise InvalidInput(
            "{folder!r} is neither results of `gapsim run` nor a model file; give a folder with a {record}",
            folder=str(folder),
            record=RECORD,
        )
    record = read_run_record(file)
    check_files(folder, record)
    found = read_inputs(record["inputs"], folder)
    settings = {key: value for key, value in record["settings"].items() if value is not None}
    model = load_model(str(record["simulation"]["model"]), regions=len(found.panel.regions))
    if model.sha256 != record["simulation"]["model_sha256"]:
        session.warn("The model has changed since these results were made.")
    with session.stage(Message("Drawing what every scenario starts from")):
        inputs = inputs_of(model, found.panel, found.fitted, baseline=found.baseline, **{**settings, "draws": draws})
    scenarios = [Scenario.from_dict(item) for item in record["scenarios"]]
    options = [f"--draws {draws}", f"--until {settings['until']}", f"--seed {settings['seed']}"]
    if found.fitted is not None:
        options.append(f"--fit {folder}")
    if found.source != "china":
        options.append(f"--panel {found.source}")
    if found.baseline is None:
        options.append("--open-loop")
    told = {"draws": settings["draws"], "policies": summarised(folder, EFFECTS)}
    return inputs, scenarios, " ".join(["gapsim run SCENARIO", *options]), told


def _own(
    session: Session,
    choice: TableChoice,
    *,
    fit: Path | None,
    until: float | None,
    draws: int,
    seed: int,
    outcomes: list[str] | None,
    lang: str,
) -> str:
    from pysd_runner.cli.projecting import read_fit
    from pysd_runner.explorer.page import constants_explored, page_of

    model = choice.load_model()
    table = choice.load(session)
    fitted = None if fit is None else read_fit(fit)
    options = "" if fit is None else f" --fit {fit} --draws {draws} --seed {seed}"
    options += "" if until is None else f" --until {until:g}"
    with session.stage(Message("Compiling the model for browsers")):
        explored = constants_explored(model, table, fitted, until=until, draws=draws, seed=seed, outcomes=outcomes)
        return page_of(explored, lang=lang, command=f"gapsim run SCENARIO --model {choice.model}{options}")
