"""``gapsim schema``: the JSON Schema of scenario files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DeclaredModel
from pysd_runner.cli.projecting import MODEL
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "schema", examples=("gapsim schema > scenario.schema.json",))(schema)


def schema(
    session: Session,
    *,
    model: DeclaredModel = MODEL,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")] = None,
) -> None:
    """Write the JSON Schema with which editors complete and check scenario files."""
    from pysd_runner.scenarios import scenario_schema

    found = scenario_schema(model)
    session.data = {"schema": found}
    text = json.dumps(found, indent=2, ensure_ascii=False)
    if out is None:
        session.say(text)
        return
    from pysd_runner.export.files import write_text_whole

    session.data["file"] = write_text_whole(out, text + "\n")
    session.note(Message("Written: {file}", file=out))
