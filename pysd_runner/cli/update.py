"""``gapsim update``: add new figures to a panel, and show how earlier results change."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.data_options import DataChoice
from pysd_runner.cli.options import Force, Out, Reading, RunOptions, given, need
from pysd_runner.cli.projecting import target, tell_folder
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidPanel, Message

if TYPE_CHECKING:  # these load numpy
    import pandas as pd

    from pysd_runner.data import Data
    from pysd_runner.data.update import Update
    from pysd_runner.model import Model
    from pysd_runner.spec import Baseline


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Options for the comparison with earlier results."""

    since: Annotated[
        Path | None, typer.Option("--since", metavar="RESULTS", help="Earlier results: says what moved, and why.")
    ] = None
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="REGION", help="With --since: a region, class or nation; repeatable."),
    ] = None
    fit: Annotated[
        Path | None, typer.Option("--fit", help="With --since: a new fit as the last step [default: that of RESULTS].")
    ] = None


@command(
    "update",
    "gapsim update china gdp2025.csv",
    "gapsim update china gdp2025.xlsx people2025.xlsx --since results/demo --region Sichuan",
    "gapsim update mine.csv new.csv --out mine-2025",
)
def update(
    session: Session,
    panel: Annotated[str, typer.Argument(help="The panel: a shipped one, a file, or the folder of an update.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="New figures: a year, revised ones, or columns, as `data check` reads."),
    ] = None,
    *,
    compared: Compared,
    out: Out = None,
    force: Force = False,
    reading: Reading = None,
) -> None:
    """Lay new figures over a panel: a year, revised years, or further columns; the panel keeps the rest.

    Writes a folder with the panel, which every command takes with --data, its regions and sources, and a table of all
    figures that were revised. Says what the new year still lacks. Figures are read as the panel's own file is, and in
    its units, where they and --reading say nothing else. With --since the panel is exchanged in earlier results, one
    thing at a time and on the same simulations: columns, revisions, years, and the fit if a new one is given. Without
    FILE that compares PANEL as it is.
    """
    from pysd_runner.data.sources import panel_file
    from pysd_runner.export import save_csv
    from pysd_runner.reports.panels import save_update, update_lines

    if not files:
        need(["update"] * (compared.since is None), Message("a file of new figures, or earlier results (--since)"))
    if compared.since is None:
        need([name for name, _ in given(compared)], Message("earlier results (--since)"))
    file = panel_file(panel)
    before = DataChoice(source=panel, reading=None if files else reading).read(session, is_compared=True)
    session.data = {}
    if not files:
        _moved(session, before, compared)
        return
    choice = DataChoice(source=files[0], others=files[1:], reading=reading, onto=before)
    found, record = _laid(session, before, choice, panel, files)
    folder = target(out, found.panel.name, force=force, inputs=[file, *choice.files])
    for line in update_lines(found, session.lang):
        session.say(line)
    with folder:
        save_update(found, folder.draft, file, record)
        if compared.since is not None:
            save_csv(_moved(session, found.panel, compared), folder.draft / "since.csv")
    session.data |= {"folder": folder.path}
    tell_folder(session, folder.path, title=Message("Panel: {folder}", folder=folder.path))
    session.say(Message("  `gapsim calibrate {folder} --out fit` fits the model to it.", folder=folder.path))


def _laid(
    session: Session, before: "Data", choice: DataChoice, panel: str, files: Sequence[str]
) -> "tuple[Update, dict[str, Any]]":
    """Merge the new figures into the panel; also return the record of their files."""
    from pysd_runner.core.findings import errors_of
    from pysd_runner.data.checks import heaviest_first
    from pysd_runner.data.load import InvalidData
    from pysd_runner.data.update import updated
    from pysd_runner.reports.panels import first_problem, panel_facts, refusal

    new = choice.read(session, is_compared=True)
    try:
        found = updated(before, new, sources=(panel, ", ".join(files)))
    except InvalidData as error:
        raise InvalidPanel(refusal(", ".join(files), errors_of(error.problems), session.lang)) from None
    known = {item.rule for item in before.problems}
    if doubts := heaviest_first(item for item in found.panel.problems if item.rule not in known):
        session.warn(first_problem(", ".join(files), doubts, session.lang))
    session.data |= {
        "panel": panel_facts(found.panel),
        "years": found.years,
        "revised": found.revised.to_dict("records"),
        "unused": found.unused,
    }
    return found, {
        "file": new.provenance["file"],
        "sha256": new.provenance["file_sha256"],
        "columns": list(new.variables),
        "years": list(new.years),
        "revised": len(found.revised),
    }


def _moved(session: Session, now: "Data", compared: Compared) -> "pd.DataFrame":
    """Report how earlier results change with the new panel, and return the changes as a table."""
    from pysd_runner.cli.starting import read_fit, reweighted
    from pysd_runner.evidence.following import forecast_of
    from pysd_runner.reports.since import moved

    assert compared.since is not None  # noqa: S101
    since, fit = compared.since, compared.fit

    def forecast(model: "Model", panel: "Data", fitted: Any, **ahead: int) -> "Baseline | None":
        return forecast_of(session, panel, fitted, None, model, ahead)

    with session.stage(Message("Exchanging one thing after the other")) as stage:
        found = moved(
            since.parent if since.is_file() else since,
            now,
            compared.region or ["nation"],
            forecast=forecast,
            fitted=None if fit is None else lambda model: reweighted(session, model, now, read_fit(fit), RunOptions()),
            progress=stage.at,
        )
    session.data |= {"moved": found.table().to_dict("records")}
    for line in found.lines(session.lang):
        session.say(line)
    if fit is None:
        session.say(Message("  The parameters are those of the earlier results; --fit takes those of a new fit."))
    return found.table()
