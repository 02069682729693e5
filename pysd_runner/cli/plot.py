"""``gapsim plot``: figures of results that were written before."""

from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import refuse
from pysd_runner.cli.options import Lang, Language, ShownRegions
from pysd_runner.cli.own_run import figures_of
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    examples = (
        "gapsim plot results/zoned_need --lang zh --out figures_zh",
        "gapsim plot need --kind tiles --scenario zoned_need",
    )
    command(app, "plot", examples=examples)(plot)


def plot(
    session: Session,
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Folder of results, or a file in it.")],
    *,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="mixes, money, output, differences, classes, gaps or tiles; repeatable "
            "[default: all but differences and gaps].",
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
