"""``gapsim init``: files to start a study from."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import Force
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput

SCENARIO_FILE = "scenario.yaml"
TEMPLATES = ("panel.csv", "mapping.yaml", "regions.csv")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "init",
        examples=("gapsim init my_study", "gapsim data check my_study/panel.csv --mapping my_study/mapping.yaml"),
    )(initialise)


def initialise(
    session: Session,
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it does not exist.")] = Path(),
    *,
    force: Force = False,
) -> None:
    """Write a commented panel, its mapping file, a region file and a scenario to start from.

    The files load as they are. Existing files are never overwritten without --force.
    """
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.scenarios import scenario_template

    files = {**panel_templates(), SCENARIO_FILE: scenario_template()}
    present = [name for name in files if (folder / name).exists()]
    if present and not force:
        raise InvalidInput(
            f"{folder}: {', '.join(present)} exist already; nothing was written. "
            "Choose another folder, or overwrite with --force"
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
