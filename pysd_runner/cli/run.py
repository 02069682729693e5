"""``gapsim run``: project scenarios, or run a recorded projection again; ``gapsim plot`` draws its figures again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import choose
from pysd_runner.cli.options import (
    MODEL,
    OF_REGIONS,
    Delta,
    Force,
    ModelPath,
    Out,
    Reading,
    RunOptions,
    ShownRegions,
    alone,
    given,
)
from pysd_runner.cli.projecting import (
    Job,
    answered,
    check_names,
    counted_draws,
    files_of,
    project_job,
    target,
    tell,
    write,
)
from pysd_runner.cli.session import Session
from pysd_runner.cli.starting import check_regions, read_fit, read_others
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Options for the regions and events in the results."""

    region: Annotated[ShownRegions, OF_REGIONS] = None
    events: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="TEXT", help="Event whose probability is wanted; repeatable."),
        OF_REGIONS,
    ] = None
    delta: Delta = None


def shipped(incomplete: str) -> list[str]:
    """Complete the name of a shipped scenario."""
    from pysd_runner.scenarios.load import shipped_scenarios

    return [name for name in shipped_scenarios(MODEL) if name.startswith(incomplete)]


@command(
    "run",
    "gapsim run zoned_need --draws 50 --out need",
    "gapsim run my.yaml zoned --data mine.csv --fit fit --out results",
    'gapsim run zoned_need --event "Gansu closes 10% of its gap by 2035" --out gansu',
    "gapsim run zoned --draws 20 --check",
    "gapsim run need/run.json --out again",
    "gapsim run lockdown.yaml --model mine.mdl --fit fit --data obs.csv --until 80 --out results",
)
def run(
    session: Session,
    scenarios: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENARIO",
            help="Shipped scenarios (`gapsim list`), scenario files, or the run.json of earlier results.",
            autocompletion=shipped,
        ),
    ],
    *,
    asked: RunOptions,
    out: Out = None,
    reading: Reading = None,
    shown: Shown,
    model: ModelPath = None,
    check: Annotated[
        bool, typer.Option("--check", help="Hold every draw to the behaviour rules beside the model; check its units.")
    ] = False,
    force: Force = False,
) -> int:
    """Project gaps under one or more scenarios, or run scenarios of a model of your own, and write a folder of results.

    Starts from the forecast without policy, which is kept beside the fit. The baseline, scenarios that must be shown
    beside others, and the two by two that splits the effect of the first into who gets the money and what it is spent
    on are added. Prints the answer in a few sentences, then what each scenario changes. With the run.json of earlier
    results the same run is made again and compared with them number by number. Events are written as for `gapsim
    forecast`.
    """
    if model is None:
        check_names(scenarios)
    from pysd_runner.reports.replay import is_record

    if any(is_record(scenario) for scenario in scenarios):
        if len(scenarios) > 1:
            raise InvalidInput("a run.json is run again by itself; leave the other scenarios away")
        options = [name for name, _ in given(asked, shown)]
        options += [f"--{name}" for name, value in (("reading", reading), ("model", model)) if value is not None]
        alone(options, Message("a run.json is run again as it was recorded"))
        _again(session, Path(scenarios[0]), out, force=force)
        return 0
    choice = choose(model, asked.data, reading, asked, shown)
    fitted = None if asked.fit is None else read_fit(asked.fit)
    name = "-".join(Path(scenario).stem for scenario in scenarios[:3])
    folder = target(out, name, force=force, inputs=[*choice.files, *scenarios, *files_of(asked.fit)])
    data = None if choice.source is None else choice.read(session, fitted)
    if data is not None:
        check_regions(shown.region or (), data, session.lang)
    job = Job(
        model=choice.load_model(data),
        data=data,
        source=choice.source or "",
        scenarios=scenarios,
        asked=asked,
        fitted=fitted,
        others=read_others(asked.fit),
        regions=shown.region or (),
        events=shown.events or (),
        delta=shown.delta,
        check=check,
    )
    with folder:
        report = project_job(session, job, folder)
    tell(session, report, folder.path)
    return SimulationFailed.exit_code if report.broken else 0


def _again(session: Session, record: Path, out: Path | None, *, force: bool) -> None:
    """Run a record again; write its results only if a folder was given."""
    from pysd_runner.reports.replay import draws_of, replay
    from pysd_runner.reports.results import event_lines, event_shares, overview

    folder = None if out is None else target(out, "", force=force)
    draws = draws_of(record)
    title = Message("Running {file} again, {draws}", file=record, draws=counted_draws(draws))
    with session.stage(title, total=draws) as stage:
        found = replay(record, progress=stage.advance)
    for text in found.changed:
        session.warn(text)
    session.data = {
        "identical": found.is_identical,
        "largest_difference": found.largest,
        "changed": list(found.changed),
    }
    answer = answered(session, found.projection, found.inputs)
    if folder is None:
        shares = event_shares(found.projection, found.inputs)
        lines = overview(found.projection, answer, lang=session.lang)
        for line in lines if shares is None else [*lines, *event_lines(found.projection, shares, session.lang)]:
            session.say(line)
    else:
        with folder:
            report = write(session, found.projection, found.inputs, folder, answer=answer)
        tell(session, report, folder.path)
    session.say()
    session.say(found.verdict)


@command(
    "plot",
    "gapsim plot results/zoned_need --lang zh --out figures_zh",
    "gapsim plot need --kind tiles --scenario zoned_need",
)
def plot(
    session: Session,
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Folder of results, or a file in it.")],
    *,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="Such as mixes, tiles, gaps or differences; an unknown one lists all; repeatable "
            "[default: those of a report].",
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="Scenario to draw; repeatable [default: all].")
    ] = None,
    region: ShownRegions = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write [default: RESULT/figures].")] = None,
) -> None:
    """Draw figures again: PNG, SVG, the data behind each as CSV, and what it shows in words.

    Figures of the same name are replaced. Without options the summary of the folder is written again as well, in the
    language asked for. Prints the names of the pictures.
    """
    from pysd_runner.plots import save_figure
    from pysd_runner.reports.document import FIGURES, Picture
    from pysd_runner.reports.figures import figure_jobs
    from pysd_runner.reports.results import SUMMARY, save_summary
    from pysd_runner.study.loading import load_future

    at = result.parent if result.is_file() else result
    projection = load_future(at)
    jobs = figure_jobs(projection, kinds=kind or (), scenarios=scenario or (), regions=region or ())
    target = at / "figures" if out is None else out
    written: list[Path] = []
    pictures: list[Picture] = []
    session.data = {"folder": target, "files": written}
    with session.stage(Message("Drawing"), total=len(jobs)) as stage:
        for name, draw in jobs:
            figure = draw(lang=session.lang)
            written += save_figure(figure, target, name)
            pictures.append(Picture(f"{FIGURES}/{name}.png", figure.sentence, key=figure.explained()))
            done, every = len(written) // 4, len(jobs)
            session.kept[:] = [
                Message("{done} of {every} figures are in {target}.", done=done, every=every, target=target)
            ]
            stage.advance(1)
    if (at / SUMMARY).is_file() and not (kind or scenario or region or out):
        save_summary(at, session.lang, pictures)
        language = Message("Chinese") if session.lang == "zh" else Message("English")
        session.note(
            Message(
                "The summary in {folder} is now in {language}; it replaced the one that was there.",
                folder=at,
                language=language,
            )
        )
    for path in written:
        if path.suffix == ".png":
            session.say(str(path))
