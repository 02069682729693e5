"""``gapsim doctor``: whether this installation works."""

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.failures import BUG
from pysd_runner.cli.session import Session

WIDTH = 20


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "doctor", examples=("gapsim doctor",))(doctor)


def doctor(session: Session) -> int:
    """Examine the installation: versions, fonts for Chinese, writable folders, and the engine against PySD.

    Exit code 1 when something is broken.
    """
    from pysd_runner.reports.installation import examine_installation

    found = []
    with session.stage("Examining this installation"):
        for finding in examine_installation():
            found.append(finding)
            session.say(f"{finding.verdict:<8}{finding.subject:<{WIDTH}}{finding.text}")
    session.data = [{"subject": item.subject, "verdict": item.verdict, "text": item.text} for item in found]
    return BUG if any(item.verdict == "error" for item in found) else 0
