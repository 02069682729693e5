"""``gapsim data check``: everything that is wrong with a panel, or with the table of a model of one's own."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import BAD_INPUT, command
from pysd_runner.cli.data_options import DataOptions, ModelFile, PanelChoice, TableChoice, refuse
from pysd_runner.cli.options import Force, Lang, Language
from pysd_runner.cli.projecting import counted
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:  # reading panels loads pandas
    from pysd_runner.panel import Data, Problem


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
            "gapsim data check obs.csv --model mine.mdl",
            "gapsim data check gdp.csv population.csv --regions china --out mine.csv",
        ),
    )(check)
    app.add_typer(data, short_help="Check a panel: `data check`.")


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
    model: ModelFile = None,
    lang: Lang = Language.EN,
) -> int:
    """List all problems of a panel in one pass, each with its row in the file, what was found and what was expected.

    With --model the file is a table for a model of your own, and each column is matched to a variable. Of more than
    five of one kind in one column the first ones are printed; --json has all. Exit code 2 when there are errors, 0 when
    there are only warnings or none.
    """
    if model is not None:
        refuse({**reading.of_panels, "--out": out}, Message("--model takes any table"))
        if len(files) > 1:
            raise InvalidInput("--model takes one table; found {files}", files=", ".join(files))
        return _check_table(session, TableChoice(model=model, source=files[0], options=reading))
    reading.refused()
    choice = PanelChoice(source=files[0], others=files[1:], options=reading)
    from pysd_runner.reports.panels import panel_facts, panel_lines

    if out is not None:
        _check_target(out, choice, force=force)
    file = ", ".join(files)
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
        for line in panel_lines(panel, lang=lang):
            session.say(line)
        if out is not None:
            _write(panel, out)
            session.data["written"] = out
            session.say(Message("Written: {file}", file=out))
    return BAD_INPUT if errors else 0


def _check_table(session: Session, choice: TableChoice) -> int:
    """The same for a table and a model of one's own."""
    from pysd_runner.study.matching import problems_of, uses_of

    model = choice.load_model()
    problems, table = choice.check()
    if table is not None:
        problems = [*problems, *problems_of(model, table)]
    errors = sum(problem.severity == "error" for problem in problems)
    uses = {} if table is None else uses_of(model, table)
    session.data = {
        "file": choice.source,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem.to_dict() for problem in problems],
        "columns": uses,
    }
    _say(session, str(choice.source), problems, errors)
    if table is not None:
        for line in _table_lines(table, uses):
            session.say(line)
    return BAD_INPUT if errors else 0


def _table_lines(table: "Data", uses: dict[str, str]) -> list[str]:
    """What a table holds, and what each column is to the model."""
    import numpy as np

    entities = "".join(f", {len(labels)} {axis}" for axis, labels in table.labels.items())
    width = max(len(name) for name in table.columns)
    lines = [f"{table.span}{entities}"]
    for name, column in table.columns.items():
        seen = int(np.isfinite(column.values).sum())
        unit = f", {column.unit}" if column.unit else ""
        lines.append(f"  {name:<{width}}  {counted(seen, 'value')}{unit}  {uses[name] or 'not used'}")
    return lines


def _check_target(out: Path, choice: PanelChoice, *, force: bool) -> None:
    """Refuse a file that stands there or is read, before any work."""
    if out.suffix.lower() != ".csv":
        raise InvalidInput("--out {out}: the panel is written as CSV; give a name that ends in .csv", out=out)
    if any(Path(item).exists() and out.exists() and Path(item).samefile(out) for item in choice.files):
        raise InvalidInput("--out {out}: this file is read; give another name", out=out)
    if out.exists() and not force:
        raise InvalidInput("{path} exists already; give another name, or --force to replace it", path=out)


def _write(panel: "Data", out: Path) -> None:
    """Write what was read, without what is computed from it: a long table, and names of regions beside codes."""
    from pysd_runner.export import save_csv
    from pysd_runner.panel.column import DERIVED

    frame = panel.to_frame().dropna(subset="value")
    frame = frame[frame["flag"] != DERIVED]
    names = {region.code: region.name_en or region.name_zh for region in panel.regions}
    frame.insert(1, "region_name", frame["region"].map(names))
    groups = {region.code: region.group for region in panel.regions}
    if any(groups.values()):
        frame.insert(2, "group", frame["region"].map(groups))
    save_csv(frame, out)


def _say(session: Session, file: str, problems: "list[Problem]", errors: int) -> None:
    from pysd_runner.reports.panels import verdict

    session.say(verdict(file, errors, len(problems) - errors, session.lang))
    for line in _lines(problems, session.lang):
        session.say(f"  {line}")


def _lines(problems: "list[Problem]", lang: str) -> list[str]:
    """Every problem, but of one kind in one column only the first ones: a mistake of the whole file is one mistake."""
    from pysd_runner.panel.problems import SHOWN
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


def _kind(problem: "Problem") -> tuple[str, str, str, str]:
    return problem.severity, problem.rule, problem.column, re.sub(r"\d+", "", problem.message)
