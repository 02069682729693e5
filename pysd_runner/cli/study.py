"""``gapsim study``: write one declarations file from the files of a published study, and compare what was published."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import Force
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message

if TYPE_CHECKING:
    from pysd_runner.study.bringing import Found
    from pysd_runner.study.redone import Redone

# Exit code when something differs from what was published.
DIFFERS = 3


@command("study", "gapsim study FOLDER", "gapsim study FOLDER/mine.mdl RESULTS best.out", "gapsim study --check FOLDER")
def study(
    session: Session,
    places: Annotated[
        list[str],
        typer.Argument(metavar="PLACE", help="Folder or model of the study, then further folders and files of it."),
    ],
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Run it and compare with what was published; PLACE may be its declarations file."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File to write, with --check a page (.html) [default: MODEL.toml beside the model]."
        ),
    ] = None,
    force: Force = False,
) -> int:
    """Find the files of a published Vensim study and write one declarations file to read and change.

    Reads change files, search controls, payoffs, lists and scripts; each line says file and line it is from. Then the
    other commands work with --model. What is not understood or not found is told. With --check the base and the
    published scenarios are run and compared with published series and payoff, by the declarations beside the model,
    which are written first where there are none. Exit code 3 if something differs.
    """
    if check:
        return _check(session, list(map(Path, places)), out, force=force)
    from pysd_runner.core.paths import declarations_beside
    from pysd_runner.reports.folders import check_file
    from pysd_runner.study.bringing import find_study

    found = find_study(list(map(Path, places)))
    file = declarations_beside(found.model) if out is None else out
    check_file(file, ".toml", replace=force, inputs=(found.model,))
    told = _write(session, found, file)
    session.data = {"file": file, "model": found.model, "told": told}
    session.say(Message("{file}: read it and change it; then `gapsim doctor {model}`", file=file, model=found.model))
    return 0


def _write(session: Session, found: "Found", file: Path, *, times: str = "time", again: bool = False) -> list[str]:
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.study.bringing import plain_model, plan_of, write_study

    with session.stage(Message("Reading {model}", model=found.model.name)):
        plan = plan_of(found)
        written = write_study(found, plan, plain_model(found, plan), times=times)
    for text in () if again else written.told:
        session.warn(text)
    write_text_whole(file, written.text)
    return list(written.told)


def _check(session: Session, places: Sequence[Path], page: Path | None, *, force: bool) -> int:
    from pysd_runner.core.paths import declarations_beside
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.reports.document import screen_of
    from pysd_runner.reports.folders import check_file
    from pysd_runner.reports.redone import redone_page, redone_sentences, redone_table
    from pysd_runner.study.bringing import find_study
    from pysd_runner.study.redone import redo

    if page is not None:
        check_file(page, ".html", replace=force, inputs=places[:1])
    found = None
    if places[0].suffix.lower() == ".toml":
        model = _beside(places[0])
    else:
        found = find_study(places)
        model = found.model
    file = declarations_beside(model)
    is_new = found is not None and (force or not file.exists())
    if found is not None and is_new:
        _write(session, found, file)
    with session.stage(Message("Running {model}", model=model.name)):
        redone = redo(model)
    payoff = redone.payoff
    if payoff is not None and payoff.times != payoff.declared:
        if found is not None and is_new:
            _write(session, found, file, times=payoff.times, again=True)
        else:
            session.warn(
                Message(
                    '{file}: the published payoff is met with times = "{times}" in [objective]; it is "{declared}"',
                    file=file.name,
                    times=payoff.times,
                    declared=payoff.declared,
                )
            )
    for line in screen_of(redone_sentences(redone, session.lang), redone_table(redone, session.lang)):
        session.say(line)
    if page is not None:
        write_text_whole(page, redone_page(redone, session.lang))
    session.data = {"file": file, "model": model, **_record(redone)}
    return 0 if redone.is_equal else DIFFERS


def _beside(file: Path) -> Path:
    """The model of a declarations file."""
    from pysd_runner.engine import SUFFIXES

    found = [
        path for path in sorted(file.parent.glob("*")) if path.stem == file.stem and path.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise InvalidInput("{file}: there is no model of this name beside it", file=file)
    return found[0]


def _record(redone: "Redone") -> dict[str, object]:
    payoff = redone.payoff
    return {
        "equal": redone.is_equal,
        "payoff": payoff
        and {
            "computed": payoff.computed,
            "published": payoff.published,
            "times": payoff.times,
            "equal": payoff.is_equal,
        },
        "runs": [
            {
                "run": run.name or "base",
                "equal": run.equal,
                "series": run.count,
                "data_equal": run.data_equal,
                "data": run.data_count,
                "largest": run.largest,
                "differing": [item.name for item in run.differing],
                "unknown": list(run.unknown),
                "failure": run.failure,
            }
            for run in redone.runs
        ],
    }
