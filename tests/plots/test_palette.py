"""Colours that stand beside each other in one figure can be told apart by readers who see red and green alike."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pysd_runner.plots.mixes import STYLES
from pysd_runner.plots.palette import CLASSES

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
