"""What ``gapsim run`` does for a model of one's own."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.cli.data_options import TableChoice
from pysd_runner.cli.options import RunOptions
from pysd_runner.cli.projecting import files_of, read_fit, target
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import Message

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.plots.figure import ReportFigure
    from pysd_runner.study.future import Future


def run_own(
    session: Session,
    choice: TableChoice,
    scenarios: Sequence[str],
    asked: RunOptions,
    *,
    out: Path | None,
    force: bool,
) -> None:
    """Run scenarios of a model of one's own and write a folder of results."""
    from pysd_runner.study.inputs import DRAWS
    from pysd_runner.study.projection import cast_of, project

    name = "-".join(Path(item).stem for item in scenarios[:3])
    folder = target(out, name, force=force, inputs=[*choice.files, *scenarios, *files_of(asked.fit)])
    cast = cast_of(list(scenarios))
    model = choice.load_model()
    table = choice.load(session)
    fitted = None if asked.fit is None else read_fit(asked.fit)
    wanted = DRAWS if asked.draws is None else asked.draws
    with session.stage(f"Running {len(cast)} scenarios", total=wanted) as stage:
        future = project(
            model,
            table,
            cast[1:],
            fitted,
            until=asked.until,
            draws=wanted,
            seed=asked.seed or 0,
            progress=stage.advance,
        )
    for text in future.warnings:
        session.warn(text)
    with folder:
        future.save(folder.draft)
        _write(future, folder.draft)
    for line in future.sentences():
        session.say(line)
    session.data = {
        "folder": folder.path,
        "end": future.table().to_dict("records"),
        "sentences": list(future.sentences()),
    }
    session.say()
    session.say(Message("Results: {folder}", folder=folder.path))
    session.say(Message("  Start with {page}, or report.md beside it.", page=folder.path / "report.html"))


def _write(future: "Future", folder: Path) -> None:
    """Say what every scenario changes and is, with a figure of every outcome that can be drawn."""
    from pysd_runner.plots.figure import save_figure
    from pysd_runner.reports.document import Bullets, Document, Heading, Paragraph, Part, Picture, save_document

    parts: list[Part] = [Bullets([*future.sentences(), *future.warnings])]
    for name, figure in figures_of(future):
        save_figure(figure, folder / "figures", name)
        parts.append(Picture(f"figures/{name}.png", figure.sentence))
    for scenario in future.cast[1:]:
        parts += [Heading(scenario.label["en"]), *([Paragraph(scenario.note["en"])] if scenario.note["en"] else [])]
        parts.append(Bullets(list(scenario.describe())))
    title = f"{', '.join(item.label['en'] for item in future.cast[1:]) or 'Baseline'}: {future.model}"
    save_document(Document(title=title, lang="en", parts=parts), folder, "report")


def figures_of(future: "Future") -> Iterator[tuple[str, "ReportFigure"]]:
    """Draw every outcome that is a single number, and every one that is observed, each with the name of its files.

    Parameters
    ----------
    future
        A projection.
    """
    from pysd_runner.plots.figure import ReportFigure

    for name in map(str, future.data.data_vars):
        if future[name].ndim == 3 or name in future.observed:
            figure = future.plot(name)
            assert isinstance(figure, ReportFigure)  # noqa: S101
            plain = "".join(sign if sign.isalnum() else "_" for sign in name).strip("_").casefold() or "outcome"
            yield plain, figure
