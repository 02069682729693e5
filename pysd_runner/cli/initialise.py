"""``gapsim init``: files to start a study from."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import ModelFile, TableChoice, TableOptions, refuse
from pysd_runner.cli.options import Force
from pysd_runner.cli.own_init import initialise_own
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

SCENARIO_FILE = "scenario.yaml"
TEMPLATES = ("panel.csv", "mapping.yaml", "regions.csv")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "init",
        examples=(
            "gapsim init my_study",
            "gapsim data check my_study/panel.csv --mapping my_study/mapping.yaml",
            "gapsim init --model mine.mdl --data obs.csv",
        ),
    )(initialise)


def initialise(
    session: Session,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to write; made if it does not exist [default: here].")
    ] = None,
    *,
    model: ModelFile = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Own model: its data, whose columns are matched.")
    ] = None,
    reading: TableOptions,
    force: Force = False,
) -> None:
    """Write a commented panel, its mapping file, a region file and a scenario to start from.

    With --model, declarations of a model of your own instead: constants become parameters, limits bounds, comments
    labels, and columns are matched to variables. The files load as they are. Existing files are never overwritten
    without --force.
    """
    if model is not None:
        choice = TableChoice(model=model, source=data, options=reading)
        initialise_own(session, choice, folder=folder, force=force)
        return
    refuse({"--data": data, **reading.given}, Message("these options go with a model of your own (--model mine.mdl)"))
    folder = Path() if folder is None else folder
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.scenarios import scenario_template

    files = {**panel_templates(), SCENARIO_FILE: scenario_template()}
    present = [name for name in files if (folder / name).exists()]
    if present and not force:
        raise InvalidInput(
            "{folder}: {files} exist already; nothing was written. Choose another folder, or overwrite with --force",
            folder=folder,
            files=", ".join(present),
        )
    written = [write_text_whole(folder / name, text) for name, text in files.items()]
    session.data = {"folder": folder, "files": written}
    for path in written:
        session.say(str(path))
    panel, mapping = folder / "panel.csv", folder / "mapping.yaml"
    session.note(
        "Next: put your figures in, then\n"
        f"  gapsim data check {panel} --mapping {mapping}\n"
        f"  gapsim calibrate {panel} --mapping {mapping} --out {folder / 'fit'}\n"
        f"  gapsim run {folder / SCENARIO_FILE} --panel {panel} --mapping {mapping} --fit {folder / 'fit'} "
        f"--out {folder / 'results'}"
    )


def panel_templates() -> Mapping[str, str]:
    """Return the example files, as text by file name."""
    folder = resources.files("pysd_runner.cli").joinpath("templates")
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in TEMPLATES}
