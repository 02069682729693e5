"""``gapsim data check``: list all problems of a panel, or of a table for the user's own model."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import BAD_INPUT, command
from pysd_runner.cli.data_options import choose
from pysd_runner.cli.options import DataOptions, Force, Lang, Language, ModelPath
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message
from pysd_runner.reports.folders import check_file, save_whole

if TYPE_CHECKING:  # slow imports (pandas)
    from pysd_runner.core.findings import Finding
    from pysd_runner.data import Data


@command(
    "check",
    "gapsim data check china",
    "gapsim data check mine.xlsx --map Land=region --map Jahr=year --map BIP=output_per_head",
    "gapsim data check obs.csv --model mine.mdl",
    "gapsim data check gdp.csv population.csv --regions china --out mine.csv",
)
def check(
    session: Session,
    files: Annotated[
        list[str],
        typer.Argument(
            help="CSV, TSV or xlsx file, or the name of a shipped panel; several files are one panel.",
            metavar="FILE...",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the panel as one CSV file in units of our own, which every command reads."),
    ] = None,
    force: Force = False,
    reading: DataOptions,
    model: ModelPath = None,
    lang: Lang = Language.EN,
) -> int:
    """List all problems of a panel in one pass, each with its row in the file, what was found and what was expected.

    With --model the file may be a table for a model of your own, and each column is matched to a variable. Of more than
    five of one kind in one column the first ones are printed; --json has all. Exit code 2 when there are errors, 0 when
    there are only warnings or none.
    """
    from pysd_runner.data.dataset import is_panel
    from pysd_runner.data.load import check_data
    from pysd_runner.reports.panels import panel_facts, panel_lines
    from pysd_runner.study.binding import problems_of, uses_of

    choice = choose(model, files[0], reading, others=files[1:])
    if out is not None:
        check_file(out, ".csv", replace=force, inputs=choice.files)
    file = ", ".join(files)
    problems = check_data(choice.sources, **choice.settings)
    data = None if any(problem.severity == "error" for problem in problems) else choice.load()
    uses: dict[str, str] = {}
    if data is not None and not choice.is_regional:
        loaded = choice.load_model()
        problems, uses = [*problems, *problems_of(loaded, data)], uses_of(loaded, data)
    errors = sum(problem.severity == "error" for problem in problems)
    session.data = {
        "file": file,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem.to_dict() for problem in problems],
        "panel": panel_facts(data) if is_panel(data) else None,
        "columns": uses,
    }
    _say(session, file, problems, errors)
    if data is not None:
        for line in panel_lines(data, lang=lang) if data.is_panel else _table_lines(data, uses):
            session.say(line)
        if out is not None and not errors:
            save_whole(out, ".csv", lambda path: _write(data, path), replace=force)
            session.data["written"] = out
            session.say(Message("Written: {file}", file=out))
    return BAD_INPUT if errors else 0


def _table_lines(table: "Data", uses: dict[str, str]) -> list[str]:
    """Describe the columns of a table, and how the model uses each of them."""
    import numpy as np

    entities = "".join(f", {len(labels)} {axis}" for axis, labels in table.labels.items())
    width = max(len(name) for name in table.columns)
    lines = [f"{table.span}{entities}"]
    for name, column in table.columns.items():
        seen = int(np.isfinite(column.values).sum())
        unit = f", {column.unit}" if column.unit else ""
        lines.append(f"  {name:<{width}}  {seen} value{'' if seen == 1 else 's'}{unit}  {uses[name] or 'not used'}")
    return lines


def _write(data: "Data", out: Path) -> None:
    """Write the data as a long table with codes and names of regions, without derived variables."""
    from pysd_runner.data.cells import DERIVED
    from pysd_runner.export import save_csv

    frame = data.to_frame().dropna(subset="value")
    frame = frame[frame["flag"] != DERIVED] if "flag" in frame else frame
    names = {region.code: region.name_en or region.name_zh for region in data.regions}
    groups = {region.code: region.group for region in data.regions}
    for column, labels in (("group", groups), ("region_name", names)):
        if any(labels.values()):
            frame.insert(1, column, frame["region"].map(labels))
    save_csv(frame, out)


def _say(session: Session, file: str, problems: "list[Finding]", errors: int) -> None:
    from pysd_runner.reports.panels import verdict

    session.say(verdict(file, errors, len(problems) - errors, session.lang))
    for line in _lines(problems, session.lang):
        session.say(f"  {line}")


def _lines(problems: "list[Finding]", lang: str) -> list[str]:
    """Lines for all problems, but only for the first ones of each kind in each column."""
    from pysd_runner.data.checks import SHOWN
    from pysd_runner.reports.panels import problem_line

    of_kind = Counter(map(_kind, problems))
    told: Counter[tuple[str, str, str, str]] = Counter()
    lines = []
    for problem in problems:
        kind = _kind(problem)
        told[kind] += 1
        if told[kind] <= SHOWN:
            lines.append(problem_line(problem, lang))
        if told[kind] == SHOWN < of_kind[kind]:
            lines.append(
                Message("... and {count} more of this kind; --json lists them all", count=of_kind[kind] - SHOWN)
            )
    return lines


def _kind(problem: "Finding") -> tuple[str, str, str, str]:
    return problem.severity, problem.rule, problem.column, re.sub(r"\d+", "", problem.message)
