"""Style of figures: colours for colour-blind readers, fonts for Chinese with English as fallback, and line breaking.

Hues are those of Okabe and Ito, some darkened so that thin lines and text stand out on white; line styles
distinguish lines as well.

References
----------
Okabe, M. and Ito, K. (2008), Color Universal Design: how to make figures and presentations that are friendly
to colorblind people.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, cast

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Record
from pysd_runner.text import pieces, texts

LineStyle = Literal["-"] | tuple[float, tuple[float, ...]]

INK = "#1A1A1A"
MUTED = "#595959"
RULE = "#BFBFBF"
GRID = "#E8E8E8"

SCENARIO = "#005B94"
#: Widest to narrowest band, opaque so that nothing shines through.
FAN = ("#D6E6F2", "#A9CCE5", "#6FAAD4")
BASELINE = "#D55E00"
BASELINE_DASHES = (0, (4.2, 1.8))
ORIGIN = "#8C8C8C"

#: Hue and line style of the n-th class.
CLASSES: tuple[tuple[str, LineStyle], ...] = (
    ("#0072B2", "-"),
    ("#009E73", (0, (5, 1.6))),
    ("#D55E00", (0, (1.2, 1.2))),
    ("#AA4C8F", (0, (6, 1.5, 1.2, 1.5))),
    ("#5A4600", (0, (3, 1.2))),
    ("#56B4E9", (0, (8, 2))),
)

#: Salt of the element ids in SVG files, fixed so that files are reproducible.
HASH_SALT = "gapsim"

# Matplotlib settings of the user's environment that are left unchanged.
_NOT_OURS = frozenset({"backend", "backend_fallback", "interactive", "toolbar", "timezone"})

_SETTINGS = {
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0.0,
    "xtick.major.width": 0.6,
    "lines.solid_capstyle": "round",
    "lines.dash_capstyle": "butt",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Browsers have fonts for characters that the fonts of this machine lack.
    "svg.fonttype": "none",
    "svg.hashsalt": HASH_SALT,
}


# Axes given by a caller, in which the charts of a figure are drawn, and those drawn in already; None for no such axes.
given: ContextVar[tuple[list[Any], list[Any]] | None] = ContextVar("given", default=None)


@contextmanager
def drawing(ax: Any = None) -> Iterator[None]:
    """Draw with the package's matplotlib settings, in one or several axes if given; the user's are restored."""
    axes = None if ax is None else list(np.ravel(ax))
    if wrong := [type(item).__name__ for item in axes or () if not hasattr(item, "plot")]:
        raise InvalidInput("`ax` takes the axes of matplotlib, one for each chart; found {found}", found=wrong[0])
    drawn: list[Any] = []
    mark = given.set(None if axes is None else (axes, drawn))
    try:
        with _settings():
            yield
    finally:
        given.reset(mark)
    if axes is not None and len(axes) != len(drawn):
        raise InvalidInput(
            "this figure has {charts} charts and was given {axes} axes; give `ax` as many, or leave it away",
            charts=len(drawn),
            axes=len(axes),
        )


@contextmanager
def _settings() -> Iterator[None]:
    settings: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key not in _NOT_OURS}
    settings |= {**_SETTINGS, "font.family": list(families())}
    with mpl.rc_context(settings):
        yield


BASE = "DejaVu Sans"
CANDIDATES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
)
#: Module that the extra `chinese` installs, and the font file in it.
EXTRA = ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf")
_FILE_HINTS = ("cjk", "sourcehan", "pingfang", "hiragino", "msyh", "simhei", "wqy")


class MissingFont(UserWarning):
    """No installed font can draw Chinese; English labels are used instead."""


def families() -> tuple[str, ...]:
    """Font families in order of preference, for fallback glyph by glyph."""
    return (BASE, *_chinese_families())


def usable_language(lang: str) -> str:
    """Language whose labels can be drawn: the one asked for as text of a page, or where a font has its characters."""
    texts(lang)
    if lang == "zh" and not (_as_text.get() or _chinese_families()):
        _warn_once()
        stands_for("", lang)
        return "en"
    return lang


def can_draw(text: str) -> bool:
    """Whether every character of a text can be drawn: as text of a page, or with the fonts of `families`."""
    return _as_text.get() or not _missing(text)


def _missing(text: str) -> set[str]:
    """Characters of a text that have no glyph in the fonts of `families`."""
    return {character for character in text if not (character.isspace() or _has_glyph(character))}


# Whether a figure is drawn as text of a page, whose reader's browser brings fonts; and what stands in the figure being
# drawn instead of a name that no font can draw, with "" for a language.
_as_text: ContextVar[bool] = ContextVar("_as_text", default=False)
_replaced: ContextVar[dict[str, str] | None] = ContextVar("_replaced", default=None)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def stands_for(shown: str, name: str) -> str:
    """Register the symbol that replaces a name for which no font has the characters, and return the symbol."""
    if (known := _replaced.get()) is not None:
        known[shown] = name
    return shown


def figure_of(plot: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a function draw its figure for pictures and, where fonts lack characters, once more as text of pages."""

    @wraps(plot)
    def drawn(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        replaced: dict[str, str] = {}
        mark = _replaced.set(replaced)
        try:
            figure: Any = plot(*args, **kwargs)
        finally:
            _replaced.reset(mark)
        if not replaced or _as_text.get() or not hasattr(figure, "key"):
            return cast("Result", figure)
        figure.key.update({shown: name for shown, name in replaced.items() if shown})
        again = _as_text.set(True)
        try:
            figure.page = plot(*args, **kwargs)
        finally:
            _as_text.reset(again)
        # No font is needed for sentences and data.
        figure.sentence, figure.caption, figure.data = figure.page.sentence, figure.page.caption, figure.page.data
        return cast("Result", figure)

    return drawn


@contextmanager
def pictured(figure: Any) -> Iterator[None]:
    """Draw a figure as a picture: names that no font can draw are replaced by numbers, which its key explains."""
    numbers = {name: shown for shown, name in figure.key.items()}

    def drawable(name: str) -> str:
        if not _missing(name):
            return name
        number = numbers.setdefault(name, f"[{len(numbers) + 1}]")
        figure.key[number] = name
        return str(number)

    written = [(text, text.get_text()) for text in figure.findobj(Text)]
    # Every drawing resets the labels of ticks to those of the formatters of their axes.
    formatters = {own for axis in figure.findobj(Axis) for own in (axis.major.formatter, axis.minor.formatter)}
    try:
        for text, name in written:
            text.set_text(drawable(name))
        for formatter in formatters:
            formatter.format_ticks = _mapped(drawable, formatter.format_ticks)
        yield
    finally:
        for formatter in formatters:
            vars(formatter).pop("format_ticks", None)
        for text, name in written:
            text.set_text(name)


def _mapped(change: Callable[[str], str], labels: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """Labels of ticks, each replaced by the result of a function."""
    return lambda places: [change(label) for label in labels(places)]


@contextmanager
def text_of_pages() -> Iterator[None]:
    """Draw as text of a page; matplotlib measures what its fonts lack as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def heading_style(text: str) -> Record:
    """Font of a heading: bold, unless a font that is needed for it has no bold face."""
    if all(_base_has(character) for character in text if not character.isspace()):
        return {"family": [BASE], "weight": "bold"}
    bold = {entry.name for entry in font_manager.fontManager.ttflist if _is_bold(entry.weight)}
    return {"family": list(families()), "weight": "bold" if set(_chinese_families()) <= bold else "normal"}


def _is_bold(weight: str | int) -> bool:
    """Whether a font weight, given as a number or a name, is bold."""
    return weight >= 600 if isinstance(weight, int) else "bold" in weight.lower()


@cache
def _base_has(character: str) -> bool:
    """Whether the base font has a glyph for a character."""
    path = font_manager.findfont(font_manager.FontProperties(family=[BASE]))
    return bool(font_manager.get_font(path).get_char_index(ord(character)))


@cache
def _has_glyph(character: str) -> bool:
    """Whether one of the fonts has a glyph for a character."""
    paths = (font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families())
    return any(font_manager.get_font(path).get_char_index(ord(character)) for path in paths)


@cache
def _chinese_families() -> tuple[str, ...]:
    """Installed candidates, in order."""
    found = _known_candidates()
    if not found:
        _read_new_fonts()
        found = _known_candidates()
    return found


def _known_candidates() -> tuple[str, ...]:
    """Candidates among the fonts matplotlib knows."""
    known = set(font_manager.get_font_names())
    return tuple(name for name in CANDIDATES if name in known)


def _read_new_fonts() -> None:
    """Register fonts installed since matplotlib wrote its font cache."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    spec = find_spec(EXTRA[0])
    extra = [str(Path(folder) / EXTRA[1]) for folder in (spec and spec.submodule_search_locations) or ()]
    for path in (*filter(os.path.isfile, extra), *font_manager.findSystemFonts()):
        if path in extra or (path not in known and any(hint in Path(path).name.lower() for hint in _FILE_HINTS)):
            font_manager.fontManager.addfont(path)


@cache
def _warn_once() -> None:
    """Warn once that no font for Chinese was found, and say how to install one."""
    warnings.warn(
        MissingFont(
            Message(
                "no font for Chinese was found, so the labels of pictures are in English; install one with `pip "
                "install 'gapsim[chinese]'`, or one of the system, such as `apt-get install fonts-noto-cjk` (Debian)"
            )
        ),
        stacklevel=4,
    )


def text_width(figure: Figure, text: str, size: float, style: Record | None = None) -> float:
    """Width of a line of text in inches, with the current font settings."""
    properties = FontProperties(size=size, **(style or {}))
    # The renderer class has no type annotations.
    renderer: Any = cast("Any", RendererAgg)(1, 1, figure.dpi)
    # A character that no font has is taken to be as wide as a Chinese one.
    measured = text.translate(dict.fromkeys(map(ord, _missing(text)), "\N{EM SPACE}"))
    width, _, _ = renderer.get_text_width_height_descent(measured, properties, ismath=False)
    return float(width) / figure.dpi


def wrapped(figure: Figure, text: str, size: float, width: float, style: Record | None = None) -> list[str]:
    """Break a text into lines; between words, or between Chinese characters but never before closing punctuation."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in pieces(paragraph):
            if line and text_width(figure, (line + piece).rstrip(), size, style) > width:
                lines.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    return lines


def balanced(figure: Figure, text: str, size: float, width: float, style: Record | None = None) -> list[str]:
    """Break a text into as few lines as `wrapped` does, but of similar length, so that no word is alone on a line."""
    lines = wrapped(figure, text, size, width, style)
    if len(lines) == 1:
        return lines
    for share in (0.55, 0.65, 0.75, 0.85, 0.95):
        closer = wrapped(figure, text, size, share * width, style)
        if len(closer) == len(lines):
            return closer
    return lines


def shortened(figure: Figure, text: str, size: float, width: float, style: Record | None = None) -> str:
    """Cut a text that is too wide, with an ellipsis."""
    if text_width(figure, text, size, style) <= width:
        return text
    kept = text
    while kept and text_width(figure, kept + "…", size, style) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres close to the wanted ones, in the same order, without overlap, and within the limits if all fit.

    >>> spread([1.0, 1.2, 5.0], [1.0, 1.0, 1.0], low=0.0, high=6.0)
    [0.6, 1.6, 5.0]
    """
    # Overlapping labels form a stack, placed at the mean of the positions its members want.
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    stacks: list[list[int]] = []
    for index in order:
        stack = [index]
        while stacks:
            below = _start(stacks[-1], wanted, sizes, low, high) + sum(sizes[index] for index in stacks[-1])
            if below <= _start(stack, wanted, sizes, low, high) + 1e-12:
                break
            stack = stacks.pop() + stack
        stacks.append(stack)
    answer = [0.0] * len(wanted)
    for stack in stacks:
        edge = _start(stack, wanted, sizes, low, high)
        for index in stack:
            answer[index] = edge + sizes[index] / 2
            edge += sizes[index]
    return answer


def _start(stack: Sequence[int], wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> float:
    """Lower edge of a stack: the mean wanted by its members, clipped to the limits, of which the lower prevails."""
    below, starts = 0.0, []
    for index in stack:
        starts.append(wanted[index] - sizes[index] / 2 - below)
        below += sizes[index]
    return max(min(sum(starts) / len(starts), high - below), low)
