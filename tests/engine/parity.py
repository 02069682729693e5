"""Comparison of two runs, as the project promises it: relative 1e-10, absolute 1e-12 near zero."""

import numpy as np

from pysd_runner.simulation import Run


def assert_same(ours: Run, theirs: Run, *, relative: float = 1e-10, absolute: float = 1e-12) -> None:
    assert set(ours.data) == set(theirs.data)
    np.testing.assert_array_equal(ours.years, theirs.years)
    for name, expected in theirs.data.items():
        # What crosses zero is a difference of numbers as large as the others, and is rounded like them.
        apart = max(absolute, 1e-13 * float(np.nanmax(np.abs(expected), initial=0.0, where=np.isfinite(expected))))
        np.testing.assert_allclose(ours.data[name], expected, rtol=relative, atol=apart, err_msg=name)
