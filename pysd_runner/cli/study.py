"""``gapsim study``: write one declarations file from the files of a published study."""

from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import Force
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message


@command("study", "gapsim study FOLDER", "gapsim study FOLDER/mine.mdl RESULTS best.out")
def study(
    session: Session,
    places: Annotated[
        list[str],
        typer.Argument(metavar="PLACE", help="Folder or model of the study, then further folders and files of it."),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write [default: MODEL.toml beside the model].")
    ] = None,
    force: Force = False,
) -> None:
    """Find the files of a published Vensim study and write one declarations file to read and change.

    Reads change files, search controls, payoffs, lists and scripts; each line says file and line it is from. Then the
    other commands work with --model. What is not understood or not found is told.
    """
    from pysd_runner.core.paths import declarations_beside
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.reports.folders import check_file
    from pysd_runner.study.bringing import find_study, plain_model, plan_of, write_study

    found = find_study(list(map(Path, places)))
    file = declarations_beside(found.model) if out is None else out
    check_file(file, ".toml", replace=force, inputs=(found.model,))
    with session.stage(Message("Reading {model}", model=found.model.name)):
        plan = plan_of(found)
        written = write_study(found, plan, plain_model(found, plan))
    for text in written.told:
        session.warn(text)
    write_text_whole(file, written.text)
    session.data = {"file": file, "model": found.model, "told": list(written.told)}
    session.say(Message("{file}: read it and change it; then `gapsim doctor {model}`", file=file, model=found.model))
