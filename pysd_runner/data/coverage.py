"""Select regions with output per head at both ends of the calibration window, if some start late or end early."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidPanel, Message
from pysd_runner.core.findings import Finding, listed
from pysd_runner.core.types import Flags
from pysd_runner.data.dataset import Data

OUTPUT = "output_per_head"

# Maximum length of the window in years: constant parameters are implausible over longer periods.
MAX_WINDOW = 25
# Regions are left out only if this multiplies the region-years in the window by at least this factor,
GAIN = 2.0
# or if keeping all regions would end the window more than this many years earlier and lose recent data.
OLDEST = 3
# Maximum number of regions: with 25 years a search takes `HOURS` on one core (`python -m benchmarks.regions`).
MOST_REGIONS = 3000
HOURS = 2.5
BYTES_A_REGION, BYTES_A_PAIR = 3.2e5, 35
# Years chosen by the user that would exclude more than this share of regions are taken for a mistake.
MOST_LOST = 0.5

LEFT_OUT = "incomplete-region"
NAMED = 8


def with_output(panel: Data, *, first_year: int | None = None, last_year: int | None = None) -> Data:
    """Leave out regions without output per head in the first or last year of the calibration window.

    All regions are kept if every region has output in enough years, and in recent ones. Otherwise the window of at most
    25 years with the most region-years, ``regions x (last - first)``, is chosen, and the regions with output in both
    its first and its last year are kept; missing values in between do not matter.

    Parameters
    ----------
    panel
        Observations.
    first_year, last_year
        Ends of the window, if the user has chosen them. All regions are kept if more than half of them would be left
        out, because such a year is probably a mistake.

    Returns
    -------
    Data
        The same panel, or one with fewer regions and a warning in `problems` that names those left out.
    """
    chosen = [year for year in (first_year, last_year) if year is not None]
    if OUTPUT not in panel or not set(chosen) <= set(panel.years):
        return panel
    seen = np.isfinite(panel.array(OUTPUT))
    ends = _ends(panel.years, seen, first_year, last_year)
    kept = np.asarray(seen[:, [panel.years.index(year) for year in ends]].all(axis=1))
    if kept.all() or (chosen and kept.mean() < MOST_LOST):
        return panel
    # Name only the end years that some region lacks.
    lacking = [year for year in ends if not seen[:, panel.years.index(year)].all()]
    return _subset(panel, kept, lacking)


def check_region_count(panel: Data) -> None:
    """Reject a panel whose calibration would take many hours.

    Parameters
    ----------
    panel
        Observations.

    Raises
    ------
    InvalidPanel
        If it has more than `MOST_REGIONS` regions.
    """
    if len(panel.regions) > MOST_REGIONS:
        count = len(panel.regions)
        hours = HOURS * (count / MOST_REGIONS) ** 2
        gigabytes = (BYTES_A_REGION * count + BYTES_A_PAIR * count**2) / 1e9
        raise InvalidPanel(
            "panel {panel!r} has {count:,} regions; at most {most:,} are taken, because the model links every pair of "
            "regions: one search would take about {hours:,.0f} hours and {gigabytes:,.0f} GB of memory. Add them up "
            "to larger regions, or choose some with `keep` in a mapping",
            panel=panel.name,
            count=count,
            most=MOST_REGIONS,
            hours=hours,
            gigabytes=gigabytes,
        )


def of_regions(panel: Data, codes: Iterable[str]) -> Data:
    """Restrict a panel to the regions of a fit, if it has more.

    Parameters
    ----------
    panel
        Observations.
    codes
        Region codes of the fit.

    Returns
    -------
    Data
        Panel of those regions; the unchanged panel if it lacks one of them or has no others.
    """
    wanted = set(codes)
    if not wanted < set(panel.codes):
        return panel
    return panel.subset(entities=wanted)


def _ends(years: Sequence[int], seen: Flags, first: int | None, last: int | None) -> tuple[int, ...]:
    """First and last year of the window that keeps most region-years; empty if all regions can be kept."""
    values = np.array(years)
    # Years are positive: the reader rejects others.
    allowed = np.outer(values == first if first else values > 0, values == last if last else values > 0)
    best, most = _widest(years, seen.T.astype(np.int64) @ seen.astype(np.int64) * allowed)
    whole = seen.all(axis=0).astype(np.int64)
    everywhere, all_kept = _widest(years, len(seen) * np.outer(whole, whole) * allowed)
    if not best or (everywhere and most < GAIN * all_kept and best[1] - everywhere[1] <= OLDEST):
        return ()
    return best


def _widest(years: Sequence[int], shared: NDArray[np.int64]) -> tuple[tuple[int, ...], int]:
    """First and last year of the window with most region-years (the latest in a tie), and their number."""
    # ``shared[i, j]`` is the number of regions observed in both the i-th and the j-th year.
    values = np.array(years)
    length = values[None, :] - values[:, None]
    kept = np.where((length > 0) & (length <= MAX_WINDOW) & (shared > 1), shared * length, 0)
    if not kept.any():
        return (), 0
    first, last = max(map(tuple, np.argwhere(kept == kept.max())), key=lambda pair: pair[1])
    return (int(values[first]), int(values[last])), int(kept.max())


def _subset(panel: Data, kept: Flags, lacking: Sequence[int]) -> Data:
    gone = [panel.regions[place] for place in np.flatnonzero(~kept)]
    names = [region.code if region.name_en == region.code else f"{region.name_en} ({region.code})" for region in gone]
    problem = Finding(
        rule=LEFT_OUT,
        message=Message(
            "{count} of {all} regions are left out, without output per head in {years}: {regions}",
            count=len(gone),
            all=len(panel.regions),
            years=" or ".join(map(str, lacking)),
            regions=listed(names, NAMED),
        ),
        found=", ".join(region.code for region in gone),
        expected=Message(
            "output per head at both ends of the window; choose other years or fill the gaps to keep them"
        ),
        severity="warning",
    )
    fewer = panel.subset(entities=set(panel.codes) - {region.code for region in gone})
    return replace(fewer, problems=(problem, *fewer.problems))
