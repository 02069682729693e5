"""Colours for colour-blind readers, line styles as the second channel, and drawing defaults.

Hues are those of Okabe and Ito, some darkened so that thin lines and text stand out on white.

References
----------
Okabe, M. and Ito, K. (2008), Color Universal Design: how to make figures and presentations that are friendly
to colorblind people.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl

from pysd_runner.plots.typography import families

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

#: Reproducible bytes: element ids come from this word, not from chance.
HASH_SALT = "gapsim"

# Settings of the reader's own machine that a drawing must not touch or copy.
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
    "svg.fonttype": "path",
    "svg.hashsalt": HASH_SALT,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the project's settings, whatever style the reader has set; the reader's come back afterwards."""
    settings: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key not in _NOT_OURS}
    settings |= {**_SETTINGS, "font.family": list(families())}
    with mpl.rc_context(settings):
        yield
