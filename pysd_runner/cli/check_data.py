"""``gapsim data check``: everything that is wrong with a panel."""

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
            "gapsim data check mine.xlsx --map 省份=region --map 年份=year --map 人均GDP=output_per_head",
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
    for problem in problems:
        session.say(f"  {problem}")
