"""Fonts that can draw Chinese, lines of text, labels beside lines, and colours that all readers can tell apart."""

import io
import re
import warnings
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib import font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pysd_runner.plots import MissingFont, plot_differences, plot_gaps, plot_tiles, save_figure, style
from pysd_runner.plots.figure import png_bytes, svg_bytes
from pysd_runner.plots.mixes import STYLES
from pysd_runner.plots.over_time import plot_series
from pysd_runner.plots.policies import plot_forest, plot_shares
from pysd_runner.plots.style import CLASSES, balanced, drawing, shortened, spread, text_width, wrapped
from tests.plots.reading import texts_of


def test_without_a_font_labels_are_english_and_said_once(no_chinese, futures):
    gaps = futures["gap_to_leader"]
    with pytest.warns(MissingFont, match=r"gapsim\[chinese\]"):
        figure = plot_gaps(gaps, regions=["130000"], lang="zh")
    assert "% below the leader" in {text.get_text() for text in texts_of(figure)}
    assert figure.sentence.startswith("内蒙古，2035")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = plot_tiles(gaps.isel(region=[0, 1]), lang="zh")
    again.canvas.draw()


def test_names_that_cannot_be_drawn_give_way(no_chinese, futures):
    gaps = futures["gap_to_leader"].isel(region=[0, 1])
    chinese = gaps.assign_coords(region=["甘肃", "新疆"], name_en=("region", ["甘肃省", "Xinjiang"]))
    figure = plot_gaps(chinese, lang="en")
    words = {text.get_text() for text in texts_of(figure)}
    assert {"Region 1", "Xinjiang"} <= words
    figure.canvas.draw()


CHINESE_NAMES = ("甘肃", "新疆维吾尔")


def in_chinese(futures):
    """A figure whose regions have Chinese names only, and one of a table with Chinese columns."""
    gaps = futures["gap_to_leader"].isel(region=[0, 1])
    yield plot_gaps(gaps.assign_coords(region=list(CHINESE_NAMES), name_en=("region", list(CHINESE_NAMES))))
    table = pd.DataFrame({name: [1.0, 2.0] for name in CHINESE_NAMES}, index=[2020, 2021])
    yield plot_series(table, {}, title="甘肃 and 新疆维吾尔")


def test_pages_have_every_name_as_text_with_and_without_a_font(futures, no_chinese):
    for figure in in_chinese(futures):
        page = svg_bytes(figure).decode("utf-8")
        written = " ".join(re.findall(r"<text[^>]*>([^<]*)", page))
        assert all(name in written for name in CHINESE_NAMES), written
        assert "sans-serif" in page


def test_what_stands_for_a_name_in_a_picture_is_explained(futures, no_chinese, tmp_path):
    for figure in in_chinese(futures):
        text = save_figure(figure, tmp_path, "figure")[-1].read_text(encoding="utf-8")
        for name in CHINESE_NAMES:
            shown = next(shown for shown, own in figure.key.items() if own == name)
            assert f"{shown} = {name}" in text


def with_chinese_ticks(futures):
    """Figures with Chinese names at their ticks."""
    shares = pd.DataFrame({"甘肃": [0.4, 0.7], "data": [0.6, 0.3]}, index=list(CHINESE_NAMES))
    yield plot_shares(shares, title="Mixes", lang="en")
    effects = pd.DataFrame({"label": CHINESE_NAMES, "kind": ["study", "pool"], "value": 0.2, "low": 0.1, "high": 0.3})
    yield plot_forest(effects.assign(rating=[4, 0]), title="Effects", basis="Growth")
    labels = ["base", *CHINESE_NAMES, "d"]
    yield plot_differences(futures["theil"].assign_coords(label_en=("scenario", labels), label_zh=("scenario", labels)))


@pytest.mark.filterwarnings("error")
def test_names_at_ticks_are_drawn_as_their_key_says(futures, no_chinese, monkeypatch):
    for figure in with_chinese_ticks(futures):
        before = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
        drawn, draw = set(), RendererAgg.draw_text

        def noted(renderer, gc, x, y, s, *args, drawn=drawn, draw=draw, **kwargs):
            drawn.add(s)
            return draw(renderer, gc, x, y, s, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(RendererAgg, "draw_text", noted)
            png_bytes(figure)
        standing = drawn & set(figure.key)
        assert {figure.key[shown] for shown in standing} >= set(CHINESE_NAMES)
        assert {text for text in drawn if re.fullmatch(r"\[\d+\]", text)} <= standing
        assert [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()] == before


@pytest.mark.filterwarnings("error")
def test_svg_has_every_name_however_its_file_is_given(futures, no_chinese, tmp_path):
    for figure in (*in_chinese(futures), *with_chinese_ticks(futures)):
        path, stream = tmp_path / "figure.svg", io.BytesIO()
        figure.savefig(stream, format="svg")
        pages = [stream.getvalue().decode("utf-8")]
        for place in ({"fname": path}, {"fname": str(path)}):
            figure.savefig(**place)
            pages.append(path.read_text(encoding="utf-8"))
        figure.savefig(path)
        for page in (*pages, path.read_text(encoding="utf-8")):
            assert all(name in page for name in CHINESE_NAMES)


@pytest.mark.usefixtures("_fresh_fonts")
def test_the_extra_brings_a_font(monkeypatch):
    """The font file of the extra is found without any font of the system."""
    pytest.importorskip(style.EXTRA[0])
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    monkeypatch.setattr(style, "CANDIDATES", ("Noto Sans SC",))
    assert style.can_draw("甘肃新疆维吾尔，。")
    assert style.usable_language("zh") == "zh"


def test_chinese_everywhere_when_a_font_is_there(futures, has_chinese):
    if not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    figure = plot_gaps(futures["gap_to_leader"], regions=["甘肃"], lang="zh")
    words = [text.get_text() for text in texts_of(figure)]
    assert "甘肃：与领先地区的差距" in words
    assert "最后观测年份 2024" in words
    assert "90% 区间" in figure.caption
    figure.canvas.draw()


def test_headings_are_bold_only_where_the_font_can(no_chinese):
    assert style.heading_style("Gap")["weight"] == "bold"
    assert style.heading_style("Gap")["family"] == [style.BASE]


def test_drawing_sets_a_list_of_families_and_restores(has_chinese):
    before = list(mpl.rcParams["font.family"])
    with drawing():
        assert mpl.rcParams["font.family"][0] == "DejaVu Sans"
        assert len(mpl.rcParams["font.family"]) > 1 or not has_chinese
    assert list(mpl.rcParams["font.family"]) == before


def test_can_draw():
    assert style.can_draw("Gansu −1.6 %")
    assert not style.can_draw("\U0010ffff")


LABELS = st.lists(st.tuples(st.floats(-5, 15), st.floats(0.1, 1.5)), min_size=1, max_size=6)


@given(labels=LABELS)
@settings(max_examples=200, deadline=None)
def test_labels_never_overlap_keep_their_order_and_stay_in_the_room(labels):
    wanted, sizes = [label[0] for label in labels], [label[1] for label in labels]
    placed = spread(wanted, sizes, 0.0, 10.0)
    order = sorted(range(len(labels)), key=lambda index: wanted[index])
    for lower, upper in pairwise(order):
        assert placed[upper] - placed[lower] >= (sizes[upper] + sizes[lower]) / 2 - 1e-9
    for place, size in zip(placed, sizes, strict=True):
        assert place - size / 2 >= -1e-9
        assert place + size / 2 <= 10 + 1e-9


def test_labels_that_have_room_stay_where_they_are():
    assert spread([1.0, 4.0, 7.0], [1.0, 2.0, 1.0], 0.0, 10.0) == pytest.approx([1.0, 4.0, 7.0])


@pytest.mark.parametrize(
    "text", ["In 100 futures like those simulated here, about 30", "色带包含以下方面的不确定性：模型参数；不包含。"]
)
@pytest.mark.parametrize("width", [0.4, 1.0, 2.0, 9.0])
def test_wrapping_loses_nothing_and_keeps_the_width(text, width, has_chinese):
    if not text.isascii() and not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    figure = Figure(dpi=200)
    with drawing():
        lines = wrapped(figure, text, 8, width)
        joint = " " if text.isascii() else ""
        assert joint.join(lines) == text
        for line in lines:
            assert text_width(figure, line, 8) <= width or " " not in line
        assert len(balanced(figure, text, 8, width)) == len(lines)


def test_a_line_does_not_start_with_a_closing_mark(has_chinese):
    if not has_chinese:
        pytest.skip("no font for Chinese on this machine")
    with drawing():
        for width in (0.3, 0.45, 0.6, 0.8):
            lines = wrapped(Figure(dpi=200), "模型参数，年度冲击；模型结构。初始（状态）", 8, width)
            assert not any(line[0] in "，；。）" for line in lines)
            assert not any(line[-1] == "（" for line in lines)


def test_long_names_are_cut_with_an_ellipsis():
    figure = Figure(dpi=200)
    with drawing():
        assert shortened(figure, "Gansu", 8, 2.0) == "Gansu"
        short = shortened(figure, "A very long name of a region", 8, 0.8)
        assert short.endswith("…")
        assert text_width(figure, short, 8) <= 0.8


# Complete deuteranopia and protanopia in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
BLIND = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
# To the cone responses and then to the coordinates of Ottosson (2020), in which a distance of 0.02 can just be seen.
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def seen(colour, kind):
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return OKLAB @ np.cbrt(CONES @ np.clip(BLIND[kind] @ linear, 0, 1))


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("styles", [CLASSES, STYLES])
def test_no_two_lines_look_alike(styles, kind):
    for (one, dashes), (other, others) in combinations(styles, 2):
        apart = float(np.linalg.norm(seen(one, kind) - seen(other, kind)))
        assert apart > 0.06, (one, other)
        assert dashes != others
