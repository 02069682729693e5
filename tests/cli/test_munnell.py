"""Munnell's panel of 48 US states (1990), as the package linearmodels ships it: a panel that nobody here prepared.

Public capital and gross state product, 1970-86, in millions of dollars of 1982; employment in thousands; no residents.
"""

import re

import numpy as np
import pytest

from pysd_runner.panel import load_data
from pysd_runner.spec import load_fitted

pytestmark = pytest.mark.usefixtures("no_pictures")

MAPPING = """\
schema: 1
columns: {EMP: population}
units: {GSP: million US dollars, EMP: thousand persons}
price_basis: constant 1982 prices
"""


@pytest.fixture
def file(tmp_path):
    """The panel as a file, not touched."""
    munnell = pytest.importorskip("linearmodels.datasets.munnell")
    munnell.load().to_csv(tmp_path / "munnell.csv", index=False)
    return "munnell.csv"


def test_its_headings_are_known_but_there_are_no_residents(gapsim, file) -> None:
    answer = gapsim("calibrate", file, "--out", "fit", code=2)
    assert "'GSP' is read as total output, and there is no population to divide it by" in answer.err


def test_three_lines_of_mapping_are_enough(gapsim, file, tmp_path) -> None:
    from linearmodels.datasets import munnell

    (tmp_path / "munnell.yaml").write_text(MAPPING, encoding="utf-8")
    table = munnell.load()
    panel = load_data(file, roles=tmp_path / "munnell.yaml", panel=True)
    assert len(panel.regions) == 48
    assert panel.years == tuple(range(1970, 1987))
    assert panel.price_basis == "constant 1982 prices"
    first = table.iloc[0]
    assert panel.array("output_per_head")[0, 0] == pytest.approx(first["GSP"] * 1e6 / (first["EMP"] * 1e3))
    arguments = ("--mapping", "munnell.yaml", "--yuan-per-unit", 7, "--starts", 1, "--no-profiles", "--out", "fit")
    answer = gapsim("calibrate", file, *arguments, code=0)
    said, _, _ = answer.err.partition("Calibrating ...")
    assert "Panel munnell: 48 regions, 1970 to 1986" in said
    # Employment stands for people, and some of its jumps look like a new count.
    counted = re.search(r"output from output_per_head: (\d+) changes.* (\d+) left out", said)
    assert sum(map(int, counted.groups())) == 48 * 16
    assert int(counted[1]) > 0.9 * 48 * 16
    assert "In blocks without a series, so close to their priors:\n  Access: p_a, q_a" in said
    assert "Initial Access Share: no national series" in said
    assert "the trend is not read" not in said
    fitted = load_fitted("fit/fitted.json")
    growth = np.diff(np.log(panel.array("output_per_head")), axis=1)
    spread = float((growth - growth.mean(axis=0)).std())
    # What the fit leaves of relative growth is no more than all of it, and most of it: states are mostly shocks.
    assert 0.5 * spread < fitted.shock_sd < 1.1 * spread
    contraction = dict(zip(fitted.keys, fitted.contraction, strict=True))
    assert contraction["tau_m"] > 0.5
    assert contraction["th_U"] < 0.1
