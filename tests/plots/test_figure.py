"""Figures on disk: whole, reproducible, readable."""

import subprocess
import sys
from xml.etree import ElementTree as Xml

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pysd_runner.core.errors import InvalidInput
from pysd_runner.plots import plot_differences, plot_gaps, save_figure


def draw(futures, history):
    return plot_gaps(futures["gap_to_leader"], history["gap_to_leader"], regions=["130000"], scenario="zoned_need")


@pytest.fixture(scope="module")
def saved(futures, history, tmp_path_factory):
    figure = draw(futures, history)
    return figure, save_figure(figure, tmp_path_factory.mktemp("results") / "new" / "folder", "gap")


def test_four_files_and_nothing_else(saved):
    _, paths = saved
    assert [path.name for path in paths] == ["gap.png", "gap.svg", "gap.csv", "gap.txt"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["gap.csv", "gap.png", "gap.svg", "gap.txt"]


def test_the_csv_is_what_was_drawn(saved):
    figure, (_, _, path, _) = saved
    read = pd.read_csv(path, dtype={"region": str}, keep_default_na=True)
    pd.testing.assert_frame_equal(
        read.fillna({"scenario": ""}), figure.data, check_dtype=False, rtol=1e-9, check_exact=False
    )


def test_png_has_its_sentence_and_no_date(saved):
    figure, (path, *_) = saved
    with Image.open(path) as picture:
        assert picture.text == {"Description": figure.sentence}
        assert picture.size[0] == 1440


def test_svg_is_an_image_with_a_name(saved):
    figure, (_, path, *_) = saved
    root = Xml.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314
    assert root.get("role") == "img"
    assert root.get("aria-label") == figure.sentence
    assert root[0].text == figure.sentence
    assert "date" not in path.read_text(encoding="utf-8").split("<defs")[0]


def test_text_holds_sentence_and_caption(saved):
    figure, (*_, path) = saved
    assert path.read_text(encoding="utf-8") == f"{figure.sentence}\n\n{figure.caption}\n"


def test_the_same_data_give_the_same_bytes_whatever_the_reader_has_set(saved, futures, history, tmp_path):
    _, first = saved
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "pink", "svg.fonttype": "none"}):
        before = dict(mpl.rcParams)
        second = save_figure(draw(futures, history), tmp_path, "gap")
        assert dict(mpl.rcParams) == before
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.suffix


def test_nothing_is_written_when_a_picture_cannot_be_drawn(saved, futures, history, tmp_path, monkeypatch):
    figure = draw(futures, history)

    def fail(*args, **kwargs):
        raise RuntimeError("no more memory")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(RuntimeError):
        save_figure(figure, tmp_path, "gap")
    assert list(tmp_path.iterdir()) == []


def test_only_figures_with_data_and_plain_names(saved, tmp_path):
    with pytest.raises(InvalidInput, match="carries no data"):
        save_figure(Figure(), tmp_path, "gap")
    for name in ("", "a/b", ".."):
        with pytest.raises(InvalidInput, match="file name without folders"):
            save_figure(saved[0], tmp_path, name)


def test_awkward_sentences_do_not_break_the_svg(futures, tmp_path):
    theil = futures["theil"].assign_coords(label_en=("scenario", ["<none>", 'A "&" \\1 B', "z", "w"]))
    figure = plot_differences(theil)
    figure.sentence = 'A "quoted" <tag> & back\\1slash'
    _, svg, *_ = save_figure(figure, tmp_path, "odd")
    assert Xml.fromstring(svg.read_text(encoding="utf-8")).get("aria-label") == figure.sentence  # noqa: S314


def test_a_notebook_shows_the_figure_with_its_sentence(saved):
    shown = saved[0]._repr_html_()
    assert shown.startswith('<img alt="Province 3, 2035: gap')
    assert "base64," in shown


def test_pyplot_is_never_touched():
    code = """
import sys
import numpy as np
from pysd_runner import plots
assert "matplotlib" not in sys.modules and "xarray" not in sys.modules and "pandas" not in sys.modules
values = np.random.default_rng(0).uniform(0.3, 0.5, (2, 9, 2, 4))
import xarray as xr
names = {"scenario": ["baseline", "a"], "draw": range(9), "region": ["R1", "R2"], "year": range(2024, 2028)}
array = xr.DataArray(values, coords=names, attrs={"units": "Dmnl"})
figure = plots.plot_gaps(array, origin=2024)
import tempfile
plots.save_figure(figure, tempfile.mkdtemp(), "x")
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
