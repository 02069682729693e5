"""``gapsim run``: project scenarios, or run a recorded projection again; ``gapsim plot`` draws its figures again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import (
    DataOptions,
    ModelPath,
    PanelChoice,
    TableChoice,
    files_of_model,
    is_own,
    refuse,
)
from pysd_runner.cli.options import Force, Lang, Language, Out, RunOptions, ShownRegions
from pysd_runner.cli.projecting import (
    MODEL,
    Job,
    answered,
    files_of,
    project_job,
    read_fit,
    read_others,
    target,
    tell,
    write,
)
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.plots.figure import ReportFigure
    from pysd_runner.study.future import Future


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    examples = (
        "gapsim run zoned_need --draws 50 --out need",
        "gapsim run my.yaml zoned --panel mine.csv --mapping mapping.yaml --fit fit --out results",
        'gapsim run zoned_need --event "Gansu closes 10% of its gap by 2035" --out gansu',
        "gapsim run zoned --draws 20 --check",
        "gapsim run need/run.json --out again",
        "gapsim run lockdown.yaml --model mine.mdl --fit fit --data obs.csv --until 80 --out results",
    )
    command(app, "run", examples=examples)(run)
    command(
        app,
        "plot",
        examples=(
            "gapsim plot results/zoned_need --lang zh --out figures_zh",
            "gapsim plot need --kind tiles --scenario zoned_need",
        ),
    )(plot)


def shipped(incomplete: str) -> list[str]:
    """Complete the name of a shipped scenario."""
    from pysd_runner.scenarios.load import shipped_scenarios

    return [name for name in shipped_scenarios(MODEL) if name.startswith(incomplete)]


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
    reading: DataOptions,
    lang: Lang = Language.EN,
    region: ShownRegions = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="TEXT", help="Event whose probability under each scenario is wanted; repeatable."
        ),
    ] = None,
    model: ModelPath = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Own model: observations drawn beside the outcomes.")
    ] = None,
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
    if is_own(model):
        regional = {"--panel": asked.panel, **reading.of_panels, "--yuan-per-unit": asked.yuan_per_unit}
        regional |= {"--region": region, "--event": events, "--open-loop": asked.is_open, "--check": check}
        refuse(regional, Message("a model of your own has no regions"))
        assert model is not None  # noqa: S101
        table = TableChoice(model=model, source=data, options=reading)
        run_table(session, table, scenarios, asked, out=out, force=force)
        return 0
    refuse({"--data": data}, Message("these options go with a model that takes tables (--model mine.mdl)"))
    reading.refused()
    from pysd_runner.reports.replay import is_record

    name = "-".join(Path(scenario).stem for scenario in scenarios[:3])
    if any(is_record(scenario) for scenario in scenarios):
        given = {"panel": asked.panel, "fit": asked.fit, "mapping": reading.mapping, "map": reading.columns}
        given |= {"event": events, **asked.settings}
        given["model"] = model
        _alone(scenarios, [key for key, value in given.items() if value])
        _again(session, Path(scenarios[0]), out, force=force, lang=lang)
        return 0
    choice = PanelChoice(source=asked.source, options=reading)
    fitted = None if asked.fit is None else read_fit(asked.fit)
    folder = target(out, name, force=force, inputs=[*choice.files, *files_of(asked.fit), *files_of_model(model)])
    job = Job(
        panel=choice.read(session, regions=() if fitted is None else fitted.regions),
        source=choice.source,
        scenarios=scenarios,
        fitted=fitted,
        others=read_others(asked.fit),
        folder=asked.folder,
        model=str(model or MODEL),
        is_open=asked.is_open,
        regions=region or (),
        events=events or (),
        settings=asked.settings,
        lang=lang,
        check=check,
    )
    with folder:
        report = project_job(session, job, folder)
    tell(session, report, folder.path)
    return SimulationFailed.exit_code if report.broken else 0


def _alone(scenarios: list[str], given: list[str]) -> None:
    if len(scenarios) > 1:
        raise InvalidInput("a run.json is run again by itself; leave the other scenarios away")
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InvalidInput("a run.json is run again as it was recorded; leave {options} away", options=options)


def _again(session: Session, record: Path, out: Path | None, *, force: bool, lang: str) -> None:
    """Run a record again; its results are written only where that was asked for."""
    from pysd_runner.reports.replay import draws_of, replay
    from pysd_runner.reports.results import event_lines, event_shares, overview

    folder = None if out is None else target(out, "", force=force)
    draws = draws_of(record)
    title = Message(
        "Running {file} again, {draws}",
        file=record,
        draws=Message("{count} {draws}", count=draws, draws="draw" if draws == 1 else "draws"),
    )
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
        lines = overview(found.projection, answer, lang=lang)
        for line in lines if shares is None else [*lines, *event_lines(found.projection, shares, lang)]:
            session.say(line)
    else:
        with folder:
            report = write(session, found.projection, found.inputs, folder, lang, answer=answer)
        tell(session, report, folder.path)
    session.say()
    session.say(found.verdict)


def run_table(
    session: Session,
    choice: TableChoice,
    scenarios: Sequence[str],
    asked: RunOptions,
    *,
    out: Path | None,
    force: bool,
) -> None:
    """Run scenarios of a model of one's own and write a folder of results."""
    from pysd_runner.study.inputs import DRAWS
    from pysd_runner.study.projection import cast_of, project

    name = "-".join(Path(item).stem for item in scenarios[:3])
    folder = target(out, name, force=force, inputs=[*choice.files, *scenarios, *files_of(asked.fit)])
    cast = cast_of(list(scenarios))
    model = choice.load_model()
    table = choice.load(session)
    fitted = None if asked.fit is None else read_fit(asked.fit)
    wanted = DRAWS if asked.draws is None else asked.draws
    with session.stage(f"Running {len(cast)} scenarios", total=wanted) as stage:
        future = project(
            model,
            table,
            cast[1:],
            fitted,
            until=asked.until,
            draws=wanted,
            seed=asked.seed or 0,
            progress=stage.advance,
        )
    for text in future.warnings:
        session.warn(text)
    with folder:
        future.save(folder.draft)
        _write(future, folder.draft)
    for line in future.sentences():
        session.say(line)
    session.data = {
        "folder": folder.path,
        "end": future.table().to_dict("records"),
        "sentences": list(future.sentences()),
    }
    session.say()
    session.say(Message("Results: {folder}", folder=folder.path))
    session.say(Message("  Start with {page}, or report.md beside it.", page=folder.path / "report.html"))


def _write(future: "Future", folder: Path) -> None:
    """Say what every scenario changes and is, with a figure of every outcome that can be drawn."""
    from pysd_runner.plots.figure import save_figure
    from pysd_runner.reports.document import Bullets, Heading, Paragraph, Part, Picture, ReportDocument, save_document

    parts: list[Part] = [Bullets([*future.sentences(), *future.warnings])]
    for name, figure in figures_of(future):
        save_figure(figure, folder / "figures", name)
        parts.append(Picture(f"figures/{name}.png", figure.sentence))
    for scenario in future.cast[1:]:
        parts += [Heading(scenario.label["en"]), *([Paragraph(scenario.note["en"])] if scenario.note["en"] else [])]
        parts.append(Bullets(list(scenario.describe())))
    title = f"{', '.join(item.label['en'] for item in future.cast[1:]) or 'Baseline'}: {future.model}"
    save_document(ReportDocument(title=title, lang="en", parts=parts), folder, "report")


def figures_of(future: "Future") -> Iterator[tuple[str, "ReportFigure"]]:
    """Draw every outcome that is a single number, and every one that is observed, each with the name of its files.

    Parameters
    ----------
    future
        A projection.
    """
    from pysd_runner.plots.figure import ReportFigure

    for name in map(str, future.data.data_vars):
        if future[name].ndim == 3 or name in future.observed:
            figure = future.plot(name)
            assert isinstance(figure, ReportFigure)  # noqa: S101
            plain = "".join(sign if sign.isalnum() else "_" for sign in name).strip("_").casefold() or "outcome"
            yield plain, figure


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
        list[str] | None, typer.Option("--scenario", help="Scenario to draw; repeatable [default: all policies].")
    ] = None,
    region: ShownRegions = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the figures [default: RESULT/figures].")] = None,
    lang: Lang = Language.EN,
) -> None:
    """Draw figures again: PNG, SVG, the data behind each as CSV, and what it shows in words.

    Figures of the same name are replaced. Prints the names of the pictures.
    """
    from pysd_runner.plots import save_figure
    from pysd_runner.study.keeping import FUTURE
    from pysd_runner.study.loading import load_future

    at = result.parent if result.is_file() else result
    if (at / FUTURE).is_file():
        refuse(
            {"--kind": kind, "--scenario": scenario, "--region": region},
            Message("these are results of a model of your own"),
        )
        target = at / "figures" if out is None else out
        made = [path for name, figure in figures_of(load_future(at)) for path in save_figure(figure, target, name)]
        session.data = {"folder": target, "files": made}
        for path in made:
            if path.suffix == ".png":
                session.say(str(path))
        return
    from pysd_runner.reports.figures import figure_jobs

    projection = load_future(at)
    jobs = figure_jobs(projection, kinds=kind or (), scenarios=scenario or (), regions=region or ())
    target = at / "figures" if out is None else out
    written: list[Path] = []
    session.data = {"folder": target, "files": written}
    with session.stage(Message("Drawing"), total=len(jobs)) as stage:
        for name, draw in jobs:
            written += save_figure(draw(lang=lang), target, name)
            session.kept[:] = [f"{len(written) // 4} of {len(jobs)} figures are in {target}."]
            stage.advance(1)
    for path in written:
        if path.suffix == ".png":
            session.say(str(path))
