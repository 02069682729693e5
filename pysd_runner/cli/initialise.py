"""``gapsim init``: files to start a study from; ``gapsim data check``: all problems of data."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from pysd_runner.cli.command import BAD_INPUT, command
from pysd_runner.cli.data_options import DataChoice, choose, pairs
from pysd_runner.cli.options import Force, ModelPath, Reading, alone, given, need
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.reports.folders import check_file, save_whole
from pysd_runner.text import translated

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.core.findings import Finding
    from pysd_runner.data import Data, PanelMapping
    from pysd_runner.model import Model
    from pysd_runner.spec import Parameter
    from pysd_runner.spec.own import Fact

SCENARIO_FILE = "scenario.yaml"
TEMPLATES = ("panel.csv", "panel.reading.toml", "regions.csv")


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """Options for reading data, which are kept in a file beside them."""

    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=NAME", help="What a heading means, for instance Jahr=year; repeatable."),
    ] = None
    units: Annotated[
        list[str] | None,
        typer.Option(
            "--unit", metavar="NAME=UNIT", help="Unit the file does not give: output='100 million yuan'; repeatable."
        ),
    ] = None
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of a text file, when it is not recognised.")
    ] = None
    sheet: Annotated[str | None, typer.Option("--sheet", help="Sheet of a workbook [default: the first].")] = None
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="Mapping file (YAML) for the headings, units and regions.")
    ] = None
    regions: Annotated[
        str | None,
        typer.Option("--regions", help="Region file: code, names, class, tile; or the name of a shipped panel."),
    ] = None
    national: Annotated[Path | None, typer.Option("--national", help="File of national series.")] = None
    time: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="Column of the times [default: found].")
    ] = None
    time_unit: Annotated[
        str | None,
        typer.Option("--time-unit", metavar="UNIT", help="Unit of the times: day, week, month, quarter, year."),
    ] = None
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", metavar="COLUMN", help="Column that names regions or other entities; repeatable."),
    ] = None
    yuan_per_unit: Annotated[
        float | None,
        typer.Option(
            "--yuan-per-unit", help="Yuan for one unit of the panel's currency, in which its money is then read."
        ),
    ] = None

    def mapping_of(self) -> "PanelMapping":
        """Settings by which the data are read."""
        from pysd_runner.data.mapping import as_mapping

        return as_mapping(self.mapping).merged(
            columns=pairs(self.columns, "--map", "Jahr=year"),
            units=pairs(self.units, "--unit", "output='100 million yuan'"),
            entity=None if self.entity is None else tuple(self.entity),
            national=None if self.national is None else str(self.national),
            **{name: getattr(self, name) for name in ("encoding", "sheet", "regions", "time", "time_unit")},
            yuan_per_unit=self.yuan_per_unit,
        )


@command(
    "init",
    "gapsim init my_study",
    "gapsim data check my_study/panel.csv",
    "gapsim init --model mine.mdl --data obs.csv",
)
def initialise(
    session: Session,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to write; made if it does not exist [default: here].")
    ] = None,
    *,
    model: ModelPath = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Own model: its data, whose columns are matched.")
    ] = None,
    reading: Reading = None,
    force: Force = False,
) -> None:
    """Write a panel, a commented file that says how it is read, a region file and a scenario to start from.

    With --model, declarations of a model of your own instead: constants become parameters, limits bounds, comments
    labels, and columns are matched to variables. The files load as they are. Existing files are never overwritten
    without --force.
    """
    from pysd_runner.core.paths import model_file
    from pysd_runner.export.files import write_text_whole

    if model is None:
        options = ["--data"] * bool(data) + ["--reading"] * (reading is not None)
        need(options, Message("a model of your own (--model mine.mdl)"))
        place, (files, next_steps) = folder or Path(), _templates(folder or Path(), session.lang)
    else:
        choice = choose(model, data, reading)
        place = model_file(model).parent if folder is None else folder
        files, next_steps = _declarations(session, choice, place)
    present = [name for name in files if (place / name).exists()]
    if present and not force:
        raise InvalidInput(
            "{folder}: {files} exist already; nothing was written. Choose another folder, or overwrite with --force",
            folder=place,
            files=", ".join(present),
        )
    written = [write_text_whole(place / name, text) for name, text in files.items()]
    session.data = {"folder": place, "files": written}
    for path in written:
        session.say(str(path))
    for line in next_steps:
        session.note(line)


def _templates(folder: Path, lang: str) -> tuple[dict[str, str], list[str]]:
    """Template files of a study of regions, by name, and the commands to run next."""
    from pysd_runner.scenarios import scenario_template

    panel = folder / "panel.csv"
    return {**panel_templates(lang), SCENARIO_FILE: scenario_template(lang)}, [
        translated(Message("Next: put your figures in, then"), lang) + "\n"
        f"  gapsim data check {panel}\n"
        f"  gapsim calibrate {panel} --out {folder / 'fit'}\n"
        f"  gapsim run {folder / SCENARIO_FILE} --data {panel} --fit {folder / 'fit'} "
        f"--out {folder / 'results'}"
    ]


def panel_templates(lang: str = "en") -> Mapping[str, str]:
    """Return the example files, with comments in a language, as text by file name."""
    folder = resources.files("pysd_runner.cli").joinpath("templates")
    files = {name: name.replace(".", ".zh.", 1) if lang == "zh" else name for name in TEMPLATES}
    return {name: folder.joinpath(file).read_text(encoding="utf-8") for name, file in files.items()}


# Maximum number of elements of a constant that is declared; larger ones are left in the model file.
MOST_ELEMENTS = 20


def _declarations(session: Session, choice: DataChoice, place: Path) -> tuple[dict[str, str], list[str]]:
    """Declarations of a model and a scenario, by file name; what is not estimated, and the commands to run next."""
    from pysd_runner.spec.own import is_off, left_out
    from pysd_runner.study.binding import in_time_of

    data = None if choice.source is None else choice.read(session)
    model = choice.load_model(data)
    if data is not None:
        in_time_of(model, data)  # raises the errors that the printed commands would raise
    declared = f"{model.path.stem}.toml"
    fit, results = (str(place / name) for name in ("fit", "results"))
    calibrate = ["calibrate", choice.source or "obs.csv", *choice.words, "--out", fit]
    run = ["run", str(place / SCENARIO_FILE), *choice.words, "--fit", fit, "--out", results]
    run += ["--data", choice.source] if choice.source else []
    lines = [f"gapsim {shlex.join(words)}" for words in (calibrate, run)]
    # Declarations are read only from the model's own folder.
    if place.resolve() != model.path.parent.resolve():
        lines.insert(0, shlex.join(["cp", str(place / declared), str(model.path.with_suffix(".toml"))]))
    steps = "\n  ".join([translated(Message("Next: look at what is declared, then"), session.lang), *lines])
    declarations = {
        declared: declarations_text(model, data, session.lang),
        SCENARIO_FILE: scenario_text(model, session.lang),
    }
    weak = list(_weak(model))
    off = {fact.name: fact.value or 0.0 for fact, item in weak if item is not None and is_off(item)}
    return declarations, [*left_out(off, [fact.name for fact, item in weak if item is None]), steps]


def declarations_text(model: "Model", table: "Data | None", lang: str = "en") -> str:
    """Write declarations as TOML: parameters from constants and their limits, measurements from columns."""
    note = partial(_note, lang)
    lines = [
        note(
            Message(
                "Declarations for {file}. Everything may be left out: the model file then fills it in.",
                file=model.path.name,
            )
        ),
        "schema = 2",
        f"name = {_quoted(model.name)}",
        "",
        note(
            Message(
                "What a calibration may move; at most ten that the data can tell apart, or those you name with --free."
            )
        ),
        note(Message('role = "FIX" keeps one at its value.')),
    ]
    for text in _parameters(model, note):
        lines += ["", *text]
    lines += [
        "",
        note(
            Message('Which variable a column observes, or an expression of variables such as "Infected + Recovered".')
        ),
    ]
    for text in _measurements(model, table, note):
        lines += ["", *text]
    lines += ["", note(Message('Outcomes, and which direction is better, if any: better = "lower" or "higher".'))]
    for name, item in model.variables.items():
        if item.kind == "stock":
            lines += ["", f"[outcomes.{_quoted(name)}]", f"label = {_quoted(_label(item.doc, name))}"]
    return "\n".join([*lines, ""])


def _weak(model: "Model") -> "Iterator[tuple[Fact, Parameter | None]]":
    """Constants with a value in the model file and their weak declarations; None for 0 without limits."""
    from pysd_runner.model import facts_of
    from pysd_runner.spec.own import weak_parameter

    facts = facts_of(model.ir)
    counts = Counter(fact.variable for fact in facts.values())
    for fact in facts.values():
        variable = model.ir.variables[fact.variable]
        if variable.kind != "constant" or fact.value is None or counts[fact.variable] > MOST_ELEMENTS:
            continue
        try:
            yield (
                fact,
                weak_parameter(fact.name, value=fact.value, unit=fact.unit, limits=fact.limits, label=fact.label),
            )
        except InvalidInput:
            yield fact, None


def _note(lang: str, text: Message) -> str:
    """A comment in a language."""
    return f"# {translated(text, lang)}"


def _parameters(model: "Model", note: "Callable[..., str]") -> list[list[str]]:
    from pysd_runner.spec.own import is_off

    found = []
    for fact, parameter in _weak(model):
        if parameter is None:
            text = note(
                Message("{name} is 0 in the file: give limits or a prior if it is to be estimated.", name=fact.name)
            )
            found.append([text])
            continue
        assert parameter.prior is not None  # noqa: S101
        if not parameter.lower <= parameter.value <= parameter.upper:
            text = note(
                Message(
                    "{name} is {value:g} in the file, outside its limits {lower:g} to {upper:g}.",
                    name=fact.name,
                    value=fact.value,
                    lower=parameter.lower,
                    upper=parameter.upper,
                )
            )
            found.append([text])
            continue
        found.append(
            [
                *(
                    [note(Message("0 or at an end of its bounds: estimated only if --free names it."))]
                    if is_off(parameter)
                    else []
                ),
                f"[parameters.{_quoted(fact.name)}]",
                f"value = {fact.value!r}" + (f"  # {fact.unit}" if fact.unit else ""),
                f"lower = {parameter.lower!r}",
                f"upper = {parameter.upper!r}",
                f"prior = {_prior(parameter.prior)}  {note(Message('weakly informative, from the model file'))}",
                f"label = {_quoted(_label(fact.label, fact.name))}",
            ]
        )
    return found


def _prior(prior: object) -> str:
    fields = [name for name in prior.__dataclass_fields__ if name not in ("lower", "upper")]  # type: ignore[attr-defined]
    inner = "".join(f", {name} = {getattr(prior, name)!r}" for name in fields)
    return f'{{ family = "{type(prior).__name__.casefold()}"{inner} }}'


def _measurements(model: "Model", table: "Data | None", note: "Callable[..., str]") -> list[list[str]]:
    if table is None:
        return [["# [measurements.infected]", '# column = "infected"', '# outcome = "Infected"']]
    from pysd_runner.core.errors import suggest
    from pysd_runner.study.binding import matched

    pairs = matched(model, table)
    found = []
    for name in table.columns:
        if name in pairs and model.ir.variables.get(pairs[name]) is not None:
            kind = model.ir.variables[pairs[name]].kind
            if kind in ("constant", "data"):
                text = note(
                    Message(
                        "Column {name} drives {other}, a constant of the model.", name=_quoted(name), other=pairs[name]
                    )
                )
                found.append([text])
                continue
        outcome = pairs.get(name, "")
        near = "" if outcome else suggest(name, model.variables)
        lead = "" if outcome else "# "
        hint = "" if outcome else "  " + note(Message("no variable is called like it.{near}", near=near))
        found.append(
            [
                f"{lead}[measurements.{_quoted(name)}]",
                f"{lead}column = {_quoted(name)}",
                f"{lead}outcome = {_quoted(outcome or '...')}{hint}",
                f'{lead}scale = "auto"  '
                + note(Message("level, log or logit; auto is log where values span a factor of ten")),
                f'{lead}kind = "level"  '
                + note(Message("flow: total since the moment before; cumulative: since the start")),
                f'{lead}errors = {{ family = "huber", memory = "ar1" }}'
                "  # normal, student, poisson, negative_binomial; independent",
            ]
        )
    return found


def scenario_text(model: "Model", lang: str = "en") -> str:
    """Write a scenario template with the first constants of the model."""
    from pysd_runner.model import facts_of

    facts = [item for item in facts_of(model.ir).values() if "[" not in item.name and item.value]
    constants = [item for item in facts if model.ir.variables[item.name].kind == "constant"]
    if not constants:
        return "schema: 2\nname: scenario\nchanges: {}\n"
    first = constants[0]
    lines = [
        "schema: 2",
        "name: scenario",
        f"label: {_quoted(f'{first.name} -20 %')}  {_note(lang, Message('how results call it'))}",
        "changes:",
    ]
    lines += [
        f"  {_quoted(first.name)}: -20 %  {_note(lang, Message('a fifth less than what was estimated, in every draw'))}"
    ]
    for item in constants[1:3]:
        lines += [
            f"  # {_quoted(item.name)}: {item.value:g}  {_note(lang, Message('a value'))}",
            f"  # {_quoted(item.name)}: {{10: {item.value:g}, 20: x0.5, interpolate: linear}}  "
            + _note(lang, Message("a path over time")),
        ]
    return "\n".join([*lines, ""])


def _label(text: str, name: str) -> str:
    return " ".join(text.split()) or name


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


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
    how: ReadingOptions,
    reading: Reading = None,
    model: ModelPath = None,
) -> int:
    """List all problems of a panel in one pass, each with its row in the file, what was found and what was expected.

    Options that say how a file is read are kept in NAME.reading.toml beside NAME.csv once there are no errors (with
    --force in spite of them): every command finds it there, says so, and refuses it when the file has other columns.

    With --model the file may be a table for a model of your own, and each column is matched to a variable. Of more than
    five of one kind in one column the first ones are printed; --json has all. Exit code 2 when there are errors, 0 when
    there are only warnings or none.
    """
    from pysd_runner.data.load import check_data
    from pysd_runner.data.mapping import PanelMapping
    from pysd_runner.data.update import long_table
    from pysd_runner.export import save_csv

    said = [name for name, _ in given(how)]
    if reading is not None:
        alone(said, Message("the data are read as {file} says", file=reading))
    choice = replace(choose(model, files[0], reading), others=files[1:])
    choice = replace(choice, reading=how.mapping_of()) if said or force else choice
    if out is not None:
        check_file(out, ".csv", replace=force, inputs=choice.files)
    file = ", ".join(files)
    problems = check_data(choice.sources, **choice.settings)
    data = None if any(problem.severity == "error" for problem in problems) else choice.load()
    uses: dict[str, str] = {}
    facts: Any = None
    lines: list[str] = []
    if data is not None:
        choice.tell(session, data)
        found, uses, facts, lines = _SHOW[choice.design.target](choice, data, session.lang)
        problems = [*problems, *found]
    errors = sum(problem.severity == "error" for problem in problems)
    session.data = {
        "file": file,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem.to_dict() for problem in problems],
        "panel": facts,
        "columns": uses,
    }
    if (said or force) and len(files) == 1 and out is None and Path(file).exists() and (force or not errors):
        session.data["reading"] = _kept(session, file, how.mapping_of(), force=force)
    _say(session, file, problems, errors)
    if data is not None:
        for line in lines:
            session.say(line)
        if out is not None and not errors:
            save_whole(out, ".csv", lambda path: save_csv(long_table(data), path), replace=force)
            asked = how.mapping_of()
            plain = PanelMapping(regions=asked.regions, national=asked.national)
            if plain != PanelMapping():
                _kept(session, str(out), plain, force=force)
            session.data["written"] = out
            session.say(Message("Written: {file}", file=out))
    return BAD_INPUT if errors else 0


def _kept(session: Session, file: str, mapping: "PanelMapping", *, force: bool) -> Path:
    """Write the reading settings beside a data file; a file with other settings is replaced with --force only."""
    from pysd_runner.data.mapping import reading_beside, reading_text
    from pysd_runner.data.sources import sources_of
    from pysd_runner.export.files import write_text_whole

    (source,) = sources_of(file)
    header = source.table(mapping.encoding, mapping.sheet).header
    # Columns of years come and go.
    headings = tuple(heading for heading in header if not heading.strip()[:4].isdigit())
    path, text = reading_beside(source.path), reading_text(replace(mapping, headings=headings), source.path)
    if path.is_file() and not force and path.read_text(encoding="utf-8") != text:
        raise InvalidInput("{path} says otherwise already; change it there, or replace it with --force", path=path)
    write_text_whole(path, text)
    session.note(Message("How the file is read is kept in {path}.", path=path))
    return path


_Shown: TypeAlias = "tuple[list[Finding], dict[str, str], Any, list[str]]"


def _panel_shown(_choice: DataChoice, panel: "Data", lang: str) -> _Shown:
    """Further problems of a panel, the uses of its columns, facts about it, and lines to print."""
    from pysd_runner.reports.panels import panel_facts, panel_lines

    return [], {}, panel_facts(panel), panel_lines(panel, lang=lang)


def _table_shown(choice: DataChoice, table: "Data", lang: str) -> _Shown:
    """Further problems of a table with its model, the uses of its columns by the model, and lines to print."""
    from pysd_runner.study.binding import problems_of, uses_of

    model = choice.load_model()
    uses = uses_of(model, table)
    return problems_of(model, table), uses, None, _table_lines(table, uses, lang)


_SHOW = {"relative_output": _panel_shown, "columns": _table_shown}


def _table_lines(table: "Data", uses: dict[str, str], lang: str) -> list[str]:
    """Describe the columns of a table, and how the model uses each of them."""
    import numpy as np

    entities = "".join(f", {len(labels)} {axis}" for axis, labels in table.labels.items())
    width = max(len(name) for name in table.columns)
    lines = [f"{translated(table.span, lang)}{entities}"]
    for name, column in table.columns.items():
        seen = int(np.isfinite(column.values).sum())
        unit = f", {column.unit}" if column.unit else ""
        use = translated(uses[name] or Message("not used"), lang)
        values = translated(Message("1 value") if seen == 1 else Message("{count} values", count=seen), lang)
        lines.append(f"  {name:<{width}}  {values}{unit}  {use}")
    return lines


def _say(session: Session, file: str, problems: "list[Finding]", errors: int) -> None:
    from pysd_runner.reports.panels import verdict

    session.say(verdict(file, errors, len(problems) - errors, session.lang))
    for line in _lines(problems, session.lang):
        session.say(Message("  {line}", line=line))


def _lines(problems: "list[Finding]", lang: str) -> list[str]:
    """Lines for all problems, one for equal ones of many columns, and the first ones of each kind in each column."""
    from pysd_runner.core.findings import Finding
    from pysd_runner.data.checks import MAX_LISTED
    from pysd_runner.reports.panels import problem_line

    bare = [problem for problem in problems if problem.rule == "no-unit"]
    if len(bare) > 1:
        names = ", ".join(problem.column for problem in bare)
        message = Message("no unit is given for {names}; --unit NAME=UNIT says one", names=names)
        problems = [*(item for item in problems if item not in bare), Finding("no-unit", message, "warning")]
    problems = _folded(problems)
    of_kind = Counter(map(_kind, problems))
    told: Counter[tuple[str, str, str, str]] = Counter()
    lines = []
    for problem in problems:
        kind = _kind(problem)
        told[kind] += 1
        if told[kind] <= MAX_LISTED:
            lines.append(problem_line(problem, lang))
        if told[kind] == MAX_LISTED < of_kind[kind]:
            lines.append(
                Message("... and {count} more of this kind; --json lists them all", count=of_kind[kind] - MAX_LISTED)
            )
    return lines


def _folded(problems: "list[Finding]") -> "list[Finding]":
    """One problem for equal ones of several columns, which it names."""
    from pysd_runner.data.checks import MAX_LISTED

    alike: dict[tuple[object, ...], list[Finding]] = {}
    for problem in problems:
        # Problems that differ only in the value found count as equal.
        own = "" if problem.found in {"", problem.column} else problem.column
        alike.setdefault((problem.severity, problem.rule, problem.row, problem.message, own), []).append(problem)
    found = []
    for group in alike.values():
        names = list(dict.fromkeys(problem.column for problem in group))
        if len(names) < 2:
            found += group
            continue
        listed: str = ", ".join(names[:MAX_LISTED])
        if len(names) > MAX_LISTED:
            listed = Message("{names} and {count} more", names=listed, count=len(names) - MAX_LISTED)
        found.append(replace(group[0], column=listed, found=""))
    return found


def _kind(problem: "Finding") -> tuple[str, str, str, str]:
    return problem.severity, problem.rule, problem.column, re.sub(r"\d+", "", problem.message)
