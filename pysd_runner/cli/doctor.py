"""``gapsim doctor``: whether this installation works."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.failures import BUG
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidModel

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.checks import DimensionProblem, Obstacle
    from pysd_runner.engine.ir import Feature

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

    With a model: what that Vensim or XMILE file asks for and what is done with it, everything that stops it from
    running, and the units of every equation. Exit code 1 when the installation is broken, 2 when the model cannot run
    or its units do not fit.
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
    from pysd_runner.checks import Obstacle, check_dimensions, check_running
    from pysd_runner.engine import difference_of_methods
    from pysd_runner.model import load_model

    model = load_model(name)
    obstacles = check_running(model)
    stopped = {item.variable for item in obstacles}
    problems = [item for item in check_dimensions(model) if item.is_failure or item.variable not in stopped]
    found = [_entry("cannot run", item, "", "", is_failure=True) for item in obstacles]
    if difference := difference_of_methods(model.ir):
        other = Obstacle(variable="", equation="", message=f"{model.path.name}: {difference}")
        found.append(_entry("method", other, "", "", is_failure=False))
    for feature in (item for item in model.ir.features if item.warns):
        told = Obstacle(variable="", equation="", message=f"{model.path.name}: {feature.name}: {feature.done}")
        found.append(_entry("not done", told, "", "", is_failure=False))
    found += [_entry(item.kind, item, item.expected, item.found, is_failure=item.is_failure) for item in problems]
    failures = len(obstacles) + sum(item.is_failure for item in problems)
    for done, names in _asked(model.ir.features).items():
        session.say(f"{'asks':<8}{done}: {', '.join(names)}")
    for entry in found:
        session.say(f"{entry['verdict']:<8}{entry['message']}")
    session.say(f"{len(model.variables)} variables: {failures} errors, {len(found) - failures} warnings")
    if obstacles:
        session.say(f"the model cannot run as it stands: {len(obstacles)} of the errors stop it")
    session.data = [*map(_known, model.ir.features), *found]
    return InvalidModel.exit_code if failures else 0


def _asked(features: Iterable["Feature"]) -> dict[str, list[str]]:
    """What a file asks for, by what is done with it."""
    found: dict[str, list[str]] = {}
    for item in features:
        if not item.warns:
            found.setdefault(item.done, []).append(item.name if item.count == 1 else f"{item.name} ({item.count})")
    return found


def _known(feature: "Feature") -> dict[str, str]:
    return {"verdict": "asks", "kind": feature.name, "message": f"{feature.done} ({feature.count})"}


def _entry(
    kind: str, item: "Obstacle | DimensionProblem", expected: str, found: str, *, is_failure: bool
) -> dict[str, str]:
    return {
        "verdict": "error" if is_failure else "warning",
        "kind": kind,
        "variable": item.variable,
        "equation": item.equation,
        "expected": expected,
        "found": found,
        "message": item.message,
    }
