"""``gapsim data check``: everything that is wrong with a panel."""

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.failures import BAD_INPUT
from pysd_runner.cli.options import Encoding, Map, MappingFile, NationalFile, RegionFile, Unit
from pysd_runner.cli.panels import PanelChoice
from pysd_runner.cli.projecting import counted
from pysd_runner.cli.session import Session

if TYPE_CHECKING:  # reading panels loads pandas
    from pysd_runner.panel import Problem


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    data = typer.Typer(
        name="data", help="Work on panels: `data check` lists everything that is wrong with one.", no_args_is_help=True
    )
    command(
        data,
        "check",
        examples=(
            "gapsim data check china",
            "gapsim data check mine.xlsx --map Land=region --map Jahr=year --map BIP=output_per_head",
        ),
    )(check)
    app.add_typer(data, short_help="Check a panel: `data check`.")


def check(
    session: Session,
    file: Annotated[str, typer.Argument(help="CSV or xlsx file, or the name of a shipped panel.", metavar="FILE")],
    *,
    columns: Map = None,
    units: Unit = None,
    mapping: MappingFile = None,
    regions: RegionFile = None,
    national: NationalFile = None,
    encoding: Encoding = None,
) -> int:
    """List all problems of a panel in one pass, each with its row in the file, what was found and what was expected.

    Of more than five of one kind in one column the first ones are printed; --json has all.
    Exit code 2 when there are errors, 0 when there are only warnings or none.
    """
    choice = PanelChoice(
        source=file,
        columns=columns or (),
        units=units or (),
        mapping=mapping,
        regions=regions,
        national=national,
        encoding=encoding,
    )
    from pysd_runner.reports.panel_contents import panel_facts, panel_lines

    problems = choice.check()
    errors = sum(problem.severity == "error" for problem in problems)
    panel = None if errors else choice.load()
    session.data = {
        "file": file,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem.to_dict() for problem in problems],
        "panel": None if panel is None else panel_facts(panel),
    }
    _say(session, file, problems, errors)
    if panel is not None:
        for line in panel_lines(panel):
            session.say(line)
    return BAD_INPUT if errors else 0


def _say(session: Session, file: str, problems: "list[Problem]", errors: int) -> None:
    warnings = len(problems) - errors
    counts = [counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    session.say(f"{file}: {', '.join(counts) or 'no problems'}")
    for line in _lines(problems):
        session.say(f"  {line}")


def _lines(problems: "list[Problem]") -> list[str]:
    """Every problem, but of one kind in one column only the first ones: a mistake of the whole file is one mistake."""
    from pysd_runner.panel.problems import SHOWN

    of_kind = Counter(map(_kind, problems))
    told: Counter[tuple[str, str, str, str]] = Counter()
    lines = []
    for problem in problems:
        kind = _kind(problem)
        told[kind] += 1
        if told[kind] <= SHOWN:
            lines.append(f"{problem}")
        if told[kind] == SHOWN < of_kind[kind]:
            lines.append(f"... and {of_kind[kind] - SHOWN} more of this kind; --json lists them all")
    return lines


def _kind(problem: "Problem") -> tuple[str, str, str, str]:
    return problem.severity, problem.rule, problem.column, re.sub(r"\d+", "", problem.message)
