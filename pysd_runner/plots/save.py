"""Write a figure: PNG, SVG, the data behind it and its sentence."""

import io
import re
from pathlib import Path
from xml.sax.saxutils import escape

from matplotlib.figure import Figure

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export.files import write_bytes_whole
from pysd_runner.export.tables import csv_bytes
from pysd_runner.plots.figure import ReportFigure
from pysd_runner.plots.palette import drawing

DPI = 200


def save_figure(figure: Figure, folder: str | Path, name: str) -> tuple[Path, ...]:
    """Write a figure as PNG and SVG, with the CSV behind it and its sentence as text.

    Everything is rendered before the first file is written, and each file is written whole or not at all. The
    same data give the same bytes: nothing depends on the clock, the machine's name or chance.

    Parameters
    ----------
    figure
        What a plot function returned.
    folder
        Where to write; made when missing.
    name
        File name without ending.

    Returns
    -------
    tuple of Path
        ``name.png``, ``name.svg``, ``name.csv``, ``name.txt``.

    Raises
    ------
    InvalidInput
        If the figure carries no data (it was not made by a plot function of this package), or ``name`` is a
        path.
    OSError
        If a file cannot be written.
    """
    if not isinstance(figure, ReportFigure) or figure.data.empty:
        raise InvalidInput("this figure carries no data; save_figure writes what a plot_* function returned")
    if name in {"", ".", ".."} or Path(name).name != name:
        raise InvalidInput(f"name={name!r} must be a file name without folders; pass them as folder")
    text = "\n\n".join(part for part in (figure.sentence, figure.caption) if part) + "\n"
    contents = {
        "png": png_bytes(figure),
        "svg": svg_bytes(figure),
        "csv": csv_bytes(figure.data),
        "txt": text.encode("utf-8"),
    }
    target = Path(folder)
    return tuple(write_bytes_whole(target / f"{name}.{ending}", content) for ending, content in contents.items())


def save_png(figure: ReportFigure, path: str | Path) -> Path:
    """Write a figure as PNG alone, whole or not at all."""
    return write_bytes_whole(path, png_bytes(figure))


def png_bytes(figure: ReportFigure) -> bytes:
    """PNG with its sentence as metadata and nothing that changes from day to day."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None, "Description": figure.sentence})
    return stream.getvalue()


def svg_bytes(figure: ReportFigure) -> bytes:
    """SVG that a screen reader announces as an image with a name."""
    stream = io.BytesIO()
    with drawing():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue().decode("utf-8")
    label = escape(figure.sentence, {'"': "&quot;"})
    opened = re.sub(r"<svg ", f'<svg role="img" aria-label="{label}" '.replace("\\", r"\\"), text, count=1)
    body = opened.index(">", opened.index("<svg ")) + 1
    return (opened[:body] + f"\n <desc>{escape(figure.sentence)}</desc>" + opened[body:]).encode("utf-8")
