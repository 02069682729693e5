"""What ``gapsim run`` does for a model of one's own."""

from collections.abc import Sequence
from pathlib import Path

from pysd_runner.cli.projecting import files_of, read_fit, target
from pysd_runner.cli.session import Session
from pysd_runner.cli.tables import TableChoice


def run_own(
    session: Session,
    choice: TableChoice,
    scenarios: Sequence[str],
    *,
    fit: Path | None,
    until: float | None,
    draws: int | None,
    seed: int,
    out: Path | None,
    force: bool,
) -> None:
    """Run scenarios of a model of one's own and write a folder of results.

    Parameters
    ----------
    session
        Where to say things.
    choice
        Model, and data to draw beside the outcomes.
    scenarios
        Files.
    fit
        What ``gapsim calibrate`` wrote; None runs the values of the file once.
    until, draws, seed
        Last moment; number of draws; what decides them.
    out, force
        Folder for the results; whether to replace what is there.
    """
    from pysd_runner.general.scenario_runs import DRAWS, cast_of, project_any

    name = "-".join(Path(item).stem for item in scenarios[:3])
    folder = target(out, name, force=force, inputs=[*choice.files, *scenarios, *files_of(fit)])
    cast = cast_of(list(scenarios))
    model = choice.load_model()
    table = choice.load(session)
    fitted = None if fit is None else read_fit(fit)
    wanted = DRAWS if draws is None else draws
    with session.stage(f"Running {len(cast)} scenarios", total=wanted) as stage:
        future = project_any(
            model, table, cast[1:], fitted, until=until, draws=wanted, seed=seed, progress=stage.advance
        )
    for text in future.warnings:
        session.warn(text)
    with folder:
        future.save(folder.draft)
        write_figures(future, folder.draft / "figures")
        _write_text(future, folder.draft)
    for line in future.sentences():
        session.say(line)
    session.data = {
        "folder": folder.path,
        "end": future.table().to_dict("records"),
        "sentences": list(future.sentences()),
    }
    session.say()
    session.say(f"Results: {folder.path}")


def write_figures(future: "object", folder: Path) -> list[Path]:
    """Draw every outcome that is a single number, and every one that is observed.

    Parameters
    ----------
    future
        A projection.
    folder
        Where to write.
    """
    from pysd_runner.general.future import Future
    from pysd_runner.plots.figure import ReportFigure
    from pysd_runner.plots.save import save_figure

    assert isinstance(future, Future)  # noqa: S101
    written: list[Path] = []
    for name in future.data.data_vars:
        values = future[str(name)]
        if values.ndim != 3 and str(name) not in future.observed:
            continue
        figure = future.plot(str(name))
        assert isinstance(figure, ReportFigure)  # noqa: S101
        written += save_figure(figure, folder, _file_name(str(name)))
    return written


def _file_name(name: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in name).strip("_").casefold() or "outcome"


def _write_text(future: "object", folder: Path) -> None:
    """What every scenario is and changes, in words."""
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.general.future import Future

    assert isinstance(future, Future)  # noqa: S101
    lines = [f"# {', '.join(item.label for item in future.scenarios[1:]) or 'Baseline'}: {future.model}", ""]
    for scenario in future.scenarios[1:]:
        lines += [f"## {scenario.label}", "", *([scenario.note, ""] if scenario.note else [])]
        lines += [*(f"- {line}" for line in scenario.describe()), ""]
    lines += [*(f"- {line}" for line in future.sentences()), ""]
    lines += [*(f"- {line}" for line in future.warnings), ""] if future.warnings else []
    write_text_whole(folder / "report.md", "\n".join(lines))
