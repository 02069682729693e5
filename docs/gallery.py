"""Shows the pictures of the executed examples."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from pysd_runner.plots import ReportFigure, save_figure


def figures_of_the_example(_block: Any, variables: dict[str, Any], settings: dict[str, Any]) -> str:
    """Pictures of the figures an example has made since the last block; ours are not known to pyplot."""
    names = variables["example_globals"]
    shown = names.setdefault("__shown__", [])
    pictures = []
    # A value that a cell ends with is shown as in a notebook, and kept under a name of underscores.
    for value in [item for name, item in names.items() if name.strip("_")]:
        if isinstance(value, Figure) and not any(value is other for other in shown):
            shown.append(value)
            path = next(variables["image_path_iterator"])
            _save(value, Path(path))
            pictures.append(figure_rst([path], settings["src_dir"], getattr(value, "sentence", "")))
    return "\n".join(pictures)


def _save(figure: Figure, path: Path) -> None:
    if not isinstance(figure, ReportFigure):
        figure.savefig(path, dpi=150)
        return
    with TemporaryDirectory() as folder:
        written = save_figure(figure, folder, "figure")
        shutil.copy(next(item for item in written if item.suffix == path.suffix), path)
