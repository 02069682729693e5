"""Tables for LaTeX."""

import numpy as np
import pandas as pd

from pysd_runner.export.latex import to_latex


def test_a_table_is_what_the_package_wants():
    frame = pd.DataFrame({"region": ["A&B_1", "50 % {x}"], "gap": [-0.12345, np.nan], "year": [2030, 2040]})
    assert to_latex(frame) == (
        "\\begin{tabular}{lrr}\n\\toprule\nregion & gap & year \\\\\n\\midrule\n"
        "A\\&B\\_1 & $-$0.123 & 2030 \\\\\n50 \\% \\{x\\} &  & 2040 \\\\\n\\bottomrule\n\\end{tabular}\n"
    )
    assert to_latex(frame.iloc[:0]).count("\\\\") == 1
