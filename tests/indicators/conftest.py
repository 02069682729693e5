"""Published figures and random panels for the tests of indicators."""

from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

# Output per head of the 32 Mexican states by decade 1940-2000, and their classes after Hanson (1998): the
# example "mexico" of libpysal (BSD licence); the documentation of PySAL's inequality package gives results.
MEXICO_TABLE = """
10384 6234 8714 16078 21022 20787 27782 2
22361 20977 17865 25321 29283 26839 29855 1
9573 16013 16707 24384 29038 25842 26103 2
3758 4929 5925 10274 12166 51123 36163 5
2934 4138 5280 7015 16200 8637 8684 5
8578 13997 16265 19178 23399 25332 30735 1
8537 9673 12318 20562 25688 26084 28460 1
6909 6049 6036 12551 17427 18313 21358 3
17816 17119 23174 32386 42028 43810 54349 4
12132 8859 9323 12700 16726 17353 17379 2
4359 5686 8209 11635 13864 13607 15585 3
2181 3629 4991 6497 8727 9084 11820 5
4414 5194 6399 7767 12391 13091 12348 3
5309 8232 9953 16288 20659 20133 21610 3
3408 4972 9053 17164 20165 18547 16322 4
3327 5272 5244 8109 11206 10980 11838 3
6936 8962 10499 13892 16513 17701 18170 3
4836 7515 7621 10880 13354 12757 11478 2
9073 11490 20117 28206 34856 34726 38672 1
1892 4538 4140 5230 7730 8465 9010 5
3569 6415 6542 9775 13374 11895 15685 3
11016 5560 7110 14073 20088 22441 26149 3
21965 28747 9677 17046 26695 25049 33442 5
4372 7533 6440 9721 12691 15436 15866 2
4840 6663 9613 14477 15312 15823 15242 2
6399 10345 12134 22662 23181 24784 24068 1
2459 3857 6494 9367 42361 16055 13360 5
7508 8536 8383 17128 21937 19983 23546 1
3605 4178 4357 6245 9882 10339 11701 3
5203 10143 11404 12240 14252 13796 12191 3
7990 8428 10067 11665 15239 13979 17509 5
3734 6435 5821 7426 8876 11656 11130 2
"""


@pytest.fixture(scope="session")
def mexico():
    """Output per head, shape (region, year), and the class of each region."""
    table = np.array([line.split() for line in MEXICO_TABLE.split("\n") if line], dtype=float)
    return table[:, :-1], [f"class {int(own)}" for own in table[:, -1]]


@pytest.fixture(scope="session")
def chinese_output_per_head():
    """Output per head of the 31 provinces by year from the shared data; skips when absent."""
    path = SHARED / "data" / "china_province_core.csv"
    if not path.exists():
        pytest.skip("the shared data are not here")
    import pandas as pd

    frame = pd.read_csv(path)
    return frame[frame["variable"] == "gdp_per_capita"].pivot_table(index="region", columns="year", values="value")
