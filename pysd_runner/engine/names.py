"""Names as Vensim compares them: without regard to case, underscores and repeated spaces."""

import re
from functools import lru_cache

# The time controls of a model.
INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER = "INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER"

# Stands in the names of what was made for a model, hidden variables and parts of ranges: no name in a file can hold it.
HIDDEN = "\x1f"

# Begins the label of a hidden variable whose value does not change within a step.
HELD = "held"

# Begins the label of a hidden variable that holds the order of a delay, a number of steps.
ORDER = "order"

# Begins the label of one that holds the highest order that Euler's method can follow.
WITHIN = f"{ORDER} within"

# Begins the label of a hidden variable that must not change while a model runs; what it is stands behind.
FIXED = "fixed"

# Begins the label of a hidden variable that holds a literal length of time.
SPAN = "span"


@lru_cache(maxsize=8192)
def key(name: str) -> str:
    """Form of a name in which equal names are equal strings.

    >>> key('"Log_ Technology"')
    'log technology'
    """
    return re.sub(r"[\s_]+", " ", name.strip().strip('"')).strip().casefold()


def tidy(name: str) -> str:
    """Display form of a name: as written, with single spaces."""
    return re.sub(r"\s+", " ", name.strip())


def shown(name: str) -> str:
    """Form of a name for a message: what was made for a variable or of a range by the name it was made from.

    >>> shown(f"Region{HIDDEN}2!")
    'Region!'
    """
    plain = name.split(HIDDEN)[0]
    return f"{plain}!" if name.endswith("!") and not plain.endswith("!") else plain
