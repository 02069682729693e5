"""The page on what a panel can tell is written by its command, and its laws hold."""

import numpy as np
import pytest

from benchmarks.identifiability import contractions, table
from pysd_runner.data import load_data


@pytest.fixture(scope="module")
def panel():
    whole = load_data("china")
    return whole.subset(entities=whole.codes[::8], times=range(2014, 2020))


def test_more_series_never_say_less(panel):
    found = contractions(panel, ("q_a", "lam_U", "q_u", "c0", "th_U", "tau_m", "lambda_s", "lambda_u"))
    assert found.sets == ("GDP", "+ access", "+ skills", "+ application")
    assert (np.diff(found.shares, axis=1) > -1e-12).all()
    assert list(found.seen) == sorted(found.seen)
    assert ((found.shares > -1e-12) & (found.shares < 1)).all()
    by_key = dict(zip(found.keys, found.shares, strict=True))
    assert by_key["q_a"][0] < 0.05 < 0.5 < by_key["q_a"][1]
    lines = table(found)
    assert any(line.startswith("| `c0` |") and "(0.27)" in line for line in lines)
    assert any(line.startswith("| `tau_m` |") and "(" not in line for line in lines)


def test_errors_that_forget_say_more_about_slow_growth(panel):
    keys = ("c0", "lam_I", "pi")
    declared, forgetful = contractions(panel, keys), contractions(panel, keys, memory="independent")
    assert (forgetful.shares[:, 0] > declared.shares[:, 0]).all()
