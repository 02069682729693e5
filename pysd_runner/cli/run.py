"""``gapsim run``: project scenarios, or run a recorded projection again."""

from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import (
    Draws,
    Encoding,
    Force,
    Lang,
    Language,
    Map,
    MappingFile,
    NationalFile,
    OptionalSeed,
    RegionFile,
    ShownRegions,
    Unit,
    Until,
    YuanPerUnit,
)
from pysd_runner.cli.own_run import run_own
from pysd_runner.cli.panels import PanelChoice
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
from pysd_runner.cli.tables import Entity, ModelPath, TableChoice, TimeColumn, TimeUnit, files_of_model, is_own, refuse
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed

SHIPPED_PANEL = "china"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = (
        "gapsim run zoned_need --draws 50 --out need",
        "gapsim run my.yaml zoned --panel mine.csv --mapping mapping.yaml --fit fit --out results",
        'gapsim run zoned_need --event "Gansu closes 10% of its gap by 2035" --out gansu',
        "gapsim run zoned --draws 20 --check",
        "gapsim run need/run.json --out again",
        "gapsim run lockdown.yaml --model mine.mdl --fit fit --data obs.csv --until 80 --out results",
    )
    command(app, "run", examples=examples)(run)


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
    panel: Annotated[
        str | None, typer.Option("--panel", help="Panel file, or the name of a shipped panel [default: china].")
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option("--fit", help="What `gapsim calibrate` wrote; without it every parameter has its prior."),
    ] = None,
    until: Until = None,
    draws: Draws = None,
    seed: OptionalSeed = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results [default: a new one under results/].")
    ] = None,
    columns: Map = None,
    units: Unit = None,
    mapping: MappingFile = None,
    regions: RegionFile = None,
    national: NationalFile = None,
    encoding: Encoding = None,
    yuan_per_unit: YuanPerUnit = None,
    lang: Lang = Language.EN,
    region: ShownRegions = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="TEXT", help="Event whose probability under each scenario is wanted; repeatable."
        ),
    ] = None,
    is_open: Annotated[
        bool,
        typer.Option("--open-loop", help="Follow the model alone instead of starting from a forecast."),
    ] = False,
    model: ModelPath = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Own model: observations drawn beside the outcomes.")
    ] = None,
    time: TimeColumn = None,
    time_unit: TimeUnit = None,
    entity: Entity = None,
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
        regional: dict[str, object] = {
            "--panel": panel,
            "--mapping": mapping,
            "--regions": regions,
            "--national": national,
        }
        regional |= {"--yuan-per-unit": yuan_per_unit, "--region": region, "--event": events}
        refuse({**regional, "--open-loop": is_open, "--check": check}, Message("a model of your own has no regions"))
        assert model is not None  # noqa: S101
        own = TableChoice(
            model=model,
            source=data,
            columns=columns or (),
            units=units or (),
            time=time,
            time_unit=time_unit,
            entity=entity or (),
            encoding=encoding,
        )
        run_own(session, own, scenarios, fit=fit, until=until, draws=draws, seed=seed or 0, out=out, force=force)
        return 0
    own_only = {"--data": data, "--time": time, "--time-unit": time_unit, "--entity": entity}
    refuse(own_only, Message("these options go with a model that takes tables (--model mine.mdl)"))
    from pysd_runner.reports.replay import is_record

    name = "-".join(Path(scenario).stem for scenario in scenarios[:3])
    settings = {"until": until, "draws": draws, "seed": seed, "yuan_per_unit": yuan_per_unit}
    if any(is_record(scenario) for scenario in scenarios):
        given = {"panel": panel, "fit": fit, "mapping": mapping, "map": columns, "event": events, **settings}
        given["model"] = model
        _alone(scenarios, [key for key, value in given.items() if value])
        _again(session, Path(scenarios[0]), out, force=force, lang=lang)
        return 0
    choice = PanelChoice(
        source=panel or SHIPPED_PANEL,
        columns=columns or (),
        units=units or (),
        mapping=mapping,
        regions=regions,
        national=national,
        encoding=encoding,
    )
    fitted = None if fit is None else read_fit(fit)
    folder = target(out, name, force=force, inputs=[*choice.files, *files_of(fit), *files_of_model(model)])
    job = Job(
        panel=choice.read(session, regions=() if fitted is None else fitted.regions),
        source=choice.source,
        scenarios=scenarios,
        fitted=fitted,
        others=read_others(fit),
        folder=fit if fit is not None and fit.is_dir() else None,
        model=str(model or MODEL),
        is_open=is_open,
        regions=region or (),
        events=events or (),
        settings=settings,
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
    from pysd_runner.reports.overview import event_lines, overview
    from pysd_runner.reports.replay import draws_of, replay
    from pysd_runner.reports.results import event_shares

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
