"""Measuring text, breaking it into lines, and keeping labels apart."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, cast

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties


def text_width(figure: Figure, text: str, size: float, style: Mapping[str, Any] | None = None) -> float:
    """Width of a line of text in inches, in the fonts now set."""
    properties = FontProperties(size=size, **(style or {}))
    # Matplotlib types its renderers as untyped calls.
    renderer: Any = cast("Any", RendererAgg)(1, 1, figure.dpi)
    width, _, _ = renderer.get_text_width_height_descent(text, properties, ismath=False)
    return float(width) / figure.dpi


def wrapped(figure: Figure, text: str, size: float, width: float, style: Mapping[str, Any] | None = None) -> list[str]:
    """Break a text into lines; between words, or between Chinese characters but never before a closing mark."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            if line and text_width(figure, (line + piece).rstrip(), size, style) > width:
                lines.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    return lines


def balanced(figure: Figure, text: str, size: float, width: float, style: Mapping[str, Any] | None = None) -> list[str]:
    """Break a text into as few lines as `wrapped` does, but of even length, so that no word stands alone."""
    lines = wrapped(figure, text, size, width, style)
    if len(lines) == 1:
        return lines
    for share in (0.55, 0.65, 0.75, 0.85, 0.95):
        closer = wrapped(figure, text, size, share * width, style)
        if len(closer) == len(lines):
            return closer
    return lines


def shortened(figure: Figure, text: str, size: float, width: float, style: Mapping[str, Any] | None = None) -> str:
    """Cut a text that is too wide, with an ellipsis."""
    if text_width(figure, text, size, style) <= width:
        return text
    kept = text
    while kept and text_width(figure, kept + "…", size, style) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres near the wanted ones, in the same order, so that nothing overlaps, within limits where all fits.

    >>> spread([1.0, 1.2, 5.0], [1.0, 1.0, 1.0], low=0.0, high=6.0)
    [0.6, 1.6, 5.0]
    """
    # Labels that touch form a stack, which stands where its members on average want it.
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    stacks: list[list[int]] = []
    for index in order:
        stack = [index]
        while stacks and _end(stacks[-1], wanted, sizes, low, high) > _start(stack, wanted, sizes, low, high) + 1e-12:
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
    """Lower edge of a stack: the mean of what its members want, moved into the room, from below first."""
    below, starts = 0.0, []
    for index in stack:
        starts.append(wanted[index] - sizes[index] / 2 - below)
        below += sizes[index]
    return max(min(sum(starts) / len(starts), high - below), low)


def _end(stack: Sequence[int], wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> float:
    """Upper edge of a stack."""
    return _start(stack, wanted, sizes, low, high) + sum(sizes[index] for index in stack)


def _pieces(text: str) -> list[str]:
    """Smallest pieces a line may be broken between."""
    pieces: list[str] = []
    for character in text:
        wide = unicodedata.east_asian_width(character) in "WF"
        closing = unicodedata.category(character) in {"Pe", "Pf", "Po"}
        after_opening = bool(pieces) and unicodedata.category(pieces[-1][-1]) in {"Ps", "Pi"}
        breaks_before = wide or (bool(pieces) and _is_wide(pieces[-1][-1])) or (bool(pieces) and pieces[-1][-1] == " ")
        if pieces and (not breaks_before or (closing and wide) or after_opening or character == " "):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _is_wide(character: str) -> bool:
    """Whether a character takes the room of two."""
    return unicodedata.east_asian_width(character) in "WF"
