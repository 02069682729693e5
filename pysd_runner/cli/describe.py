"""Reference commands ``gapsim list``, ``describe`` and ``schema``, and ``doctor`` to check installation or model."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import BUG, command
from pysd_runner.cli.options import MODEL, DeclaredModel, Lang, Language
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidModel, Message

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.checks import EquationProblem
    from pysd_runner.engine.ir import Feature


@command(
    "describe",
    "gapsim describe zoned_need",
    "gapsim describe Sichuan",
    'gapsim describe "Access Share"',
)
def describe(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(
            help="A scenario or scenario file, parameter, outcome, input, lever or variable, or a region of a panel."
        ),
    ],
    *,
    model: DeclaredModel = MODEL,
    panel: Annotated[
        str, typer.Option("--panel", help="Panel with the region [default: the shipped ones].", show_default=False)
    ] = "",
) -> None:
    """Say what a name means: unit, equation, value and bounds, evidence with sources, in English and Chinese."""
    from pysd_runner.reports.description import describe_name

    found = describe_name(name, model=model, panel=panel)
    session.data = [item.to_dict() for item in found]
    session.say("\n\n".join("\n".join(item.lines()) for item in found))


# Kinds listed by default; the lists of other kinds are long and are printed on request.
FIRST = ("models", "panels", "scenarios", "outcomes")


@command(
    "list",
    "gapsim list",
    "gapsim list parameters --lang zh",
)
def show(
    session: Session,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="models, panels, scenarios, outcomes, levers, classes, parameters, inputs or measurements.",
        ),
    ] = None,
    *,
    model: DeclaredModel = MODEL,
    lang: Lang = Language.EN,
) -> None:
    """List scenarios, parameters, outcomes, panels and models, each with its unit and meaning."""
    from pysd_runner.reports.description import KINDS, catalogue

    kinds = FIRST if kind is None else (kind,)
    found = {name: catalogue(name, model=model) for name in kinds}
    session.data = {
        name: [
            {"name": item.name, "unit": item.facts.get("unit", ""), "en": item.en, "zh": item.zh} for item in entries
        ]
        for name, entries in found.items()
    }
    for name, entries in found.items():
        session.say(f"{name}:")
        width = max((len(item.name) for item in entries), default=0)
        for item in entries:
            unit = f" [{item.facts['unit']}]" if item.facts.get("unit") else ""
            session.say(f"  {item.name:<{width}}  {getattr(item, lang)}{unit}".rstrip())
    if kind is None:
        session.note(
            f"More: `gapsim list {'|'.join(item for item in KINDS if item not in FIRST)}`, `gapsim describe NAME`"
        )


@command(
    "schema",
    "gapsim schema > scenario.schema.json",
)
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


WIDTH = 20


@command(
    "doctor",
    "gapsim doctor",
    "gapsim doctor my_model.mdl",
)
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
            session.say(f"{finding.severity:<8}{finding.rule:<{WIDTH}}{finding.message}")
    session.data = [{"subject": item.rule, "verdict": item.severity, "text": item.message} for item in found]
    return BUG if any(item.severity == "error" for item in found) else 0


def _examine_model(session: Session, name: str) -> int:
    from pysd_runner.checks import EquationProblem, check_dimensions, check_running
    from pysd_runner.engine import difference_of_methods
    from pysd_runner.model import load_model

    model = load_model(name)
    obstacles = check_running(model)
    stopped = {item.variable for item in obstacles}
    problems = [item for item in check_dimensions(model) if item.is_failure or item.variable not in stopped]
    found = list(obstacles)
    if difference := difference_of_methods(model.ir):
        found.append(EquationProblem(kind="method", message=f"{model.path.name}: {difference}"))
    for feature in (item for item in model.ir.features if item.warns):
        told = f"{model.path.name}: {feature.name}: {feature.done}"
        found.append(EquationProblem(kind="not done", message=told))
    found += problems
    failures = sum(item.is_failure for item in found)
    entries = list(map(_entry, found))
    for done, names in _asked(model.ir.features).items():
        session.say(f"{'asks':<8}{done}: {', '.join(names)}")
    for entry in entries:
        session.say(f"{entry['verdict']:<8}{entry['message']}")
    session.say(f"{len(model.variables)} variables: {failures} errors, {len(found) - failures} warnings")
    if obstacles:
        session.say(f"the model cannot run as it stands: {len(obstacles)} of the errors stop it")
    asked = [
        {"verdict": "asks", "kind": item.name, "message": f"{item.done} ({item.count})"} for item in model.ir.features
    ]
    session.data = [*asked, *entries]
    return InvalidModel.exit_code if failures else 0


def _asked(features: Iterable["Feature"]) -> dict[str, list[str]]:
    """Features that a model file uses, grouped by how they are treated."""
    found: dict[str, list[str]] = {}
    for item in features:
        if not item.warns:
            found.setdefault(item.done, []).append(item.name if item.count == 1 else f"{item.name} ({item.count})")
    return found


def _entry(item: "EquationProblem") -> dict[str, str]:
    return {
        "verdict": "error" if item.is_failure else "warning",
        "kind": item.kind,
        "variable": item.variable,
        "equation": item.equation,
        "expected": item.expected,
        "found": item.found,
        "message": item.message,
    }
