"""``gapsim explore``: a model as one HTML page that runs it; ``gapsim brief``: one page on a region."""

import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice, choose
from pysd_runner.cli.options import OF_OTHERS, SHIPPED_PANEL, Delta, Force, Reading, RunOptions, alone, given
from pysd_runner.cli.projecting import Job, check_names, files_of, project_asked, target
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import read_fit
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.data import Data, Entity
    from pysd_runner.model import Model
    from pysd_runner.reports.explorer.page import Explored
    from pysd_runner.reports.folders import WholeFolder
    from pysd_runner.reports.panels import Area
    from pysd_runner.reports.replay import Inputs
    from pysd_runner.spec import FittedParameters
    from pysd_runner.study.future import Future

DRAWS = 32
NAME, ENDING = "explorer.html", ".html"
# Scenarios of a page by default: a policy, and the one with which it is compared.
OFFERED = ("zoned_need", "uniform_per_head")


@dataclass(frozen=True, kw_only=True)
class PageOptions(RunOptions):
    """Options for the inputs and contents of a page."""

    draws: Annotated[int | None, typer.Option("--draws", min=1, help="Draws written into the page.")] = DRAWS
    outcome: Annotated[
        list[str] | None, typer.Option("--outcome", metavar="NAME", help="Variable to show; repeatable."), OF_OTHERS
    ] = None


@command(
    "explore",
    "gapsim explore --out explorer.html",
    "gapsim explore results/demo --draws 64 --out explorer.html",
    "gapsim explore mine.mdl --data obs.csv --fit fit --out mine.html",
)
def explore(
    session: Session,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RESULTS|MODEL]",
            help="Results of `gapsim run` or `demo`, or a Vensim or XMILE model of your own [default: the shipped "
            "model and panel, with priors].",
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write [default: explorer.html, beside RESULTS].")
    ] = None,
    asked: PageOptions,
    reading: Reading = None,
    force: Force = False,
) -> None:
    """Write one HTML page that runs the model: sliders, uncertainty, and no policy on the same draws beside it.

    The page asks no server for anything and can be sent by mail. What is chosen in it can be taken along as a scenario
    that `gapsim run` repeats.
    """
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.reports.explorer.page import page_of
    from pysd_runner.reports.folders import check_file, save_whole

    path = _target(out, source)
    results = _results_of(source)
    read = [item for item in (source, asked.data, asked.fit) if item is not None]
    check_file(path, ENDING, replace=force, inputs=read)
    if results is not None:
        options = [name for name, _ in given(asked) if name != "--draws"] + ["--reading"] * (reading is not None)
        alone(options, Message("results are used as they are"))
        explored, call = _of_results(session, results, draws=asked.draws or DRAWS)
    else:
        explored, call = _of_model(session, choose(source, asked.data, reading, asked), asked)
    with session.stage(Message("Compiling the model for browsers")):
        text = page_of(explored(), lang=session.lang, command=call)
    save_whole(path, ENDING, lambda file: write_text_whole(file, text), replace=force)
    session.data = {"file": path, "bytes": len(text.encode())}
    session.say(
        Message(
            "{file} ({size:,.0f} kB): open it in a browser; it needs no network.",
            file=path,
            size=len(text.encode()) / 1000,
        )
    )


def _target(out: Path | None, source: Path | None) -> Path:
    """File to write, by default in the folder of the results or the current folder."""
    if out is not None:
        if not out.resolve().parent.is_dir():
            raise InvalidInput("--out: there is no folder {folder!r}", folder=str(out.resolve().parent))
        return out
    return source / NAME if source is not None and source.is_dir() else Path(NAME)


def _results_of(source: Path | None) -> Path | None:
    """Folder of results; None if the source is a model or was not given."""
    from pysd_runner.core.paths import FILE
    from pysd_runner.reports.replay import is_record
    from pysd_runner.study.labelling import RECORD

    is_model = source is not None and source.suffix not in ("", ".json") and not source.is_dir()
    if source is None or is_model or (source / FILE).is_file():
        return None
    folder = source.parent if source.is_file() else source
    if is_record(folder / RECORD):
        return folder
    raise InvalidInput(
        "{folder!r} is neither results of `gapsim run` nor a model file; give a folder with a {record}",
        folder=str(folder),
        record=RECORD,
    )


_Page: TypeAlias = "tuple[Callable[[], Explored], list[str]]"


def _of_model(session: Session, choice: DataChoice, asked: PageOptions) -> "tuple[Callable[[], Explored], str]":
    """Page contents for a model with its data and fit, and the command that runs a scenario of the page."""
    from pysd_runner.cli.starting import read_fit

    fitted = None if asked.fit is None else read_fit(asked.fit)
    data = None if choice.source is None else choice.read(session, fitted)
    model = choice.load_model(data)
    explored, options = _PAGES[model.design.page](session, model, data, fitted, asked)
    return explored, " ".join(["gapsim run SCENARIO", shlex.join(choice.words), *options])


def _constants(
    session: Session, model: "Model", data: "Data | None", fitted: "FittedParameters | None", asked: PageOptions
) -> _Page:
    """Contents of a page on which constants change, and options that repeat its run."""
    from pysd_runner.cli.starting import reweighted
    from pysd_runner.core.calendar import said_date
    from pysd_runner.reports.explorer.page import constants_explored

    settings = {"draws": DRAWS, "seed": 0, **asked.settings}
    fitted = None if fitted is None else reweighted(session, model, data, fitted, asked)
    options = [f"--data {shlex.quote(asked.data)}"] if asked.data else []
    drawn = f"--draws {settings['draws']} --seed {settings['seed']}"
    options += [] if fitted is None else [f"--fit {asked.fit} {drawn}"]
    options += [f"--until {said_date(settings['until'])}"] if "until" in settings else []
    return partial(constants_explored, model, data, fitted, outcomes=asked.outcome, **settings), options


def _policies(
    session: Session, model: "Model", data: "Data | None", fitted: "FittedParameters | None", asked: PageOptions
) -> _Page:
    """Contents of a page on which policies change, and options that repeat its run."""
    from pysd_runner.cli.starting import started
    from pysd_runner.reports.explorer.policies import policies_explored
    from pysd_runner.scenarios import load_scenario

    start = started(session, model, data, fitted, asked)
    inputs = start.drawn(session, Message("Drawing what every scenario starts from"))
    offered = [load_scenario(name, model=model) for name in OFFERED]
    options = [f"--data {asked.data}"] if asked.data else []
    options += [f"--draws {asked.draws} --until {start.settings['until']} --seed {start.settings['seed']}"]
    options += [f"--fit {asked.fit}"] if fitted is not None else []
    left_out = sorted(asked.left_out | ({"forecast"} if start.baseline is None else frozenset()))
    options += [f"--without {','.join(left_out)}"] * bool(left_out)
    return partial(policies_explored, inputs, offered), options


# What can be changed on a page, by the kind of page of a design.
_PAGES = {"constants": _constants, "policies": _policies}


def _of_results(session: Session, folder: Path, *, draws: int) -> "tuple[Callable[[], Explored], str]":
    """Page contents for the inputs, scenarios and summary in a folder of results, and the command."""
    from pysd_runner.evidence.following import RunStart
    from pysd_runner.export import load_netcdf
    from pysd_runner.policy.ranking import select_at
    from pysd_runner.reports.explorer.page import constants_explored
    from pysd_runner.reports.explorer.policies import EFFECTS, policies_explored
    from pysd_runner.reports.replay import read_inputs
    from pysd_runner.reports.results import summarised
    from pysd_runner.scenarios import Scenario
    from pysd_runner.study.labelling import COMPARED, RECORD
    from pysd_runner.study.loading import check_files, read_run_record
    from pysd_runner.study.projection import model_again

    record = read_run_record(folder / RECORD)
    check_files(folder, record)
    found = read_inputs(record.get("inputs"), folder)
    settings = {key: value for key, value in record["settings"].items() if value is not None}
    model = model_again(record, found.panel)
    if model.sha256 != record["simulation"]["model_sha256"]:
        session.warn(Message("The model has changed since these results were made."))
    start = RunStart(
        model=model,
        data=found.panel,
        fitted=found.fitted,
        baseline=found.baseline,
        settings={**settings, "draws": draws},
    )
    if model.design.page == "constants":
        asked = {name: settings[name] for name in ("until", "seed") if name in settings}
        explored = partial(constants_explored, model, found.panel, found.fitted, outcomes=None, draws=draws, **asked)
        return explored, f"gapsim run SCENARIO --model {model.source} --fit {folder} --draws {draws}"
    inputs = start.drawn(session, Message("Drawing what every scenario starts from"))
    scenarios = [Scenario.from_dict(item) for item in record["scenarios"]]
    if (folder / COMPARED).is_file():
        # The page opens on a policy that closes as much of the gap as any.
        members = select_at(load_netcdf(folder / COMPARED), "", record.get("delta")).members
        known = {item.name: item for item in (*found.compared, *scenarios)}
        scenarios = [*(known[name] for name in members if name in known), *scenarios]
    options = [f"--draws {draws}", f"--until {settings['until']}", f"--seed {settings['seed']}"]
    if found.fitted is not None:
        options.append(f"--fit {folder}")
    if found.source != SHIPPED_PANEL:
        options.append(f"--data {found.source}")
    if found.baseline is None:
        options.append("--without forecast")
    told = {"draws": settings["draws"], "policies": summarised(folder, EFFECTS), "answer": record.get("answer")}
    return partial(policies_explored, inputs, scenarios, told=told), " ".join(["gapsim run SCENARIO", *options])


# Policy mixes compared by default.
MIXES = ("zoned_need", "uniform_per_head", "skills_programme")
FORMATS = "html,docx,xlsx"
RUN, RECORD = "run", "brief.json"


@command(
    "brief",
    "gapsim brief Sichuan --run results/demo --out sichuan",
    "gapsim brief Sichuan --mix zoned_need --mix uniform_per_head --fit results/demo/fit --format docx",
    "gapsim brief West nation --run results/demo --lang zh",
)
def brief(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REGION]...",
            help="Regions by name in English or Chinese or by code, classes of regions, or nation "
            "[default: nation, or all of RESULTS without regions].",
        ),
    ] = None,
    *,
    results: Annotated[
        Path | None, typer.Option("--run", metavar="RESULTS", help="Results of `gapsim run` or `demo` to start from.")
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            "--mix",
            metavar="SCENARIO",
            help="Policy mix, shipped or a file, five at most; repeatable [default: all that RESULTS compare, "
            "or zoned_need, uniform_per_head and skills_programme].",
        ),
    ] = None,
    delta: Delta = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Kinds of files, with commas between; repeatable [default: html,docx,xlsx]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write [default: a new one under results/].")
    ] = None,
    asked: RunOptions,
    reading: Reading = None,
    force: Force = False,
) -> None:
    """Write one page on a region: where it is going, what policy mixes change, what they cost, who loses, how sure.

    Writes a page for each region, or one on results without regions, for a browser, Word and Excel. Starts from results
    that are there (--run), or makes a run as `gapsim run` does and keeps it beside the pages, so that the next brief
    can start from it.
    """
    if results is None:
        check_names(mix or ())
    wanted = _formats(",".join(formats or [FORMATS]))
    if results is not None:
        alone(
            [name for name, _ in given(asked)] + ["--reading"] * (reading is not None),
            Message("results are used as they are (--run)"),
        )
    choice = choose(None, asked.data, reading, asked)
    read = files_of(results) if results is not None else [*choice.files, *files_of(asked.fit)]
    folder = target(out, "brief", force=force, inputs=read)
    from pysd_runner.reports.panels import find_place

    if results is not None:
        from pysd_runner.reports.brief_paths import place_of
        from pysd_runner.reports.replay import read_inputs
        from pysd_runner.study.loading import load_future

        home = results.parent if results.is_file() else results
        if stored := _stored_regions(home):
            for name in names or ():
                find_place(name, stored, session.lang)
        projection = load_future(home)
        projection = projection if delta is None else replace(projection, delta=delta)
        places = _once(place_of(projection, name, session.lang) for name in names or [""])
        with folder:
            explorer = _explorer_beside(results, folder)
            found = read_inputs(projection.provenance.get("inputs"), home)
            _write(session, projection, found, places, mix or (), wanted, folder, explorer=explorer)
    else:
        fitted = None if asked.fit is None else read_fit(asked.fit)
        seen = choice.read(session, fitted)
        places = _once(find_place(name, seen.regions, session.lang) for name in names or ["nation"])
        model, mixes = choice.load_model(seen), mix or MIXES
        source = choice.source or ""
        job = Job(model=model, data=seen, source=source, scenarios=mixes, asked=asked, fitted=fitted, delta=delta)
        with folder:
            projection, found = _project_asked(session, job, folder)
            _write(session, projection, found, places, _asked(projection, mixes), wanted, folder)
            session.kept.clear()
    _tell(session, folder.path, wanted, places, results or folder.path / RUN)


def _project_asked(session: Session, job: Job, folder: "WholeFolder") -> "tuple[Future, Inputs]":
    """Project the scenarios, and save the results in the folder of the pages; return them with their inputs."""
    from pysd_runner.reports.results import save_with_inputs

    projection, inputs, _ = project_asked(session, job)
    assert inputs is not None  # noqa: S101
    save_with_inputs(projection, inputs, folder.draft / RUN)
    folder.finished(RUN)
    session.kept[:] = [
        Message("The projection is kept in {path}; `gapsim brief --run` starts from it.", path=folder.kept / RUN)
    ]
    for text in projection.warnings:
        session.warn(text)
    return projection, inputs


def _formats(text: str) -> list[str]:
    """Parse the requested file formats."""
    wanted = list(dict.fromkeys(part.strip().lower().removeprefix(".") for part in text.split(",") if part.strip()))
    known = FORMATS.split(",")
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise InvalidInput(
            "--format {text!r}: expected one or more of {known}, with commas between", text=text, known=", ".join(known)
        )
    return wanted


def _stored_regions(folder: Path) -> "list[Entity]":
    """Regions of the panel stored with results; empty if it cannot be read, which is reported later."""
    from pysd_runner.data import Entity
    from pysd_runner.reports.replay import DATA

    try:
        stored = json.loads((folder / DATA).read_text(encoding="utf-8"))
        return [Entity(**item) for item in stored["entities"].get("region", ())]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _once(places: "Iterable[Area]") -> "list[Area]":
    """Places, each once, in the given order."""
    return list({(place.kind, place.code): place for place in places}.values())


def _asked(projection: "Future", given: Sequence[str]) -> list[str]:
    """Names of the requested scenarios, without those that a run adds for comparison."""
    from pysd_runner.scenarios import load_scenario

    names = [load_scenario(name).name for name in given]
    return [name for name in names if name in projection.policies]


def _write(
    session: Session,
    projection: "Future",
    inputs: "Inputs",
    places: "Sequence[Area]",
    mixes: Sequence[str],
    formats: Sequence[str],
    folder: "WholeFolder",
    *,
    explorer: str = "",
) -> None:
    """Write the pages, and a record by which the folder is recognised as one written by gapsim."""
    from pysd_runner.export import write_text_whole
    from pysd_runner.reports.brief import brief as brief_of

    said: dict[str, list[str]] = {}
    with session.stage(Message("Writing briefs"), total=len(places)) as stage:
        for place, stem in zip(places, _stems(places), strict=True):
            page = brief_of(projection, place.code, mixes=mixes, lang=session.lang)
            page = page.with_loops(inputs, projection.provenance)
            for ending in formats:
                shown = page.with_explorer(explorer) if explorer and ending == "html" else page
                shown.save(folder.draft / f"{stem}.{ending}")
            said[stem] = list(page.lead)
            stage.advance(1)
    write_text_whole(folder.draft / RECORD, json.dumps({"schema": 1, "said": said}, ensure_ascii=False) + "\n")
    session.data = {"folder": folder.path, "said": said}
    for lines in said.values():
        for line in lines:
            session.say(line)
        session.say()


def _explorer_beside(results: Path, folder: "WholeFolder") -> str:
    """Copy the page of `gapsim explore` from a folder of results; return its name, empty if there is none."""
    import shutil

    found = (results.parent if results.is_file() else results) / NAME
    if not found.is_file():
        return ""
    shutil.copyfile(found, folder.draft / NAME)
    return NAME


def _stems(places: "Sequence[Area]") -> list[str]:
    """File names without suffix, one for each region or group."""
    stems: list[str] = []
    for place in places:
        stems.append(place.file_name if place.file_name not in stems else f"{place.file_name}-{len(stems) + 1}")
    return stems


def _tell(session: Session, folder: Path, formats: Sequence[str], places: "Sequence[Area]", run: Path) -> None:
    files = [folder / f"{stem}.{ending}" for stem in _stems(places) for ending in formats]
    session.data = {**session.data, "files": files, "run": run}
    for file in files:
        session.say(str(file))
