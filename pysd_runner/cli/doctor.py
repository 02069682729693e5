"""``gapsim doctor``: whether this installation works."""

from typing import Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.failures import BUG
from pysd_runner.cli.session import Session
from pysd_runner.errors import InvalidModel

WIDTH = 20


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "doctor", examples=("gapsim doctor", "gapsim doctor my_model.mdl"))(doctor)


def doctor(
    session: Session,
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A model file, or a shipped model, to examine instead.")
    ] = None,
) -> int:
    """Examine the installation: versions, fonts for Chinese, writable folders, and the engine against PySD.

    With a model: the units of every equation of that Vensim or XMILE file. Exit code 1 when the installation is broken,
    2 when units of the model do not fit.
    """
    if model is not None:
        return _examine_model(session, model)
    from pysd_runner.reports.installation import examine_installation

    found = []
    with session.stage("Examining this installation"):
        for finding in examine_installation():
            found.append(finding)
            session.say(f"{finding.verdict:<8}{finding.subject:<{WIDTH}}{finding.text}")
    session.data = [{"subject": item.subject, "verdict": item.verdict, "text": item.text} for item in found]
    return BUG if any(item.verdict == "error" for item in found) else 0


def _examine_model(session: Session, name: str) -> int:
    from pysd_runner.checks import check_dimensions
    from pysd_runner.model import load_model

    model = load_model(name)
    problems = check_dimensions(model)
    failures = [item for item in problems if item.is_failure]
    for item in problems:
        session.say(f"{'error' if item.is_failure else 'warning':<8}{item.message}")
    session.say(f"{len(model.variables)} variables: {len(failures)} errors, {len(problems) - len(failures)} warnings")
    session.data = [
        {
            "kind": item.kind,
            "variable": item.variable,
            "equation": item.equation,
            "expected": item.expected,
            "found": item.found,
            "message": item.message,
        }
        for item in problems
    ]
    return InvalidModel.exit_code if failures else 0
