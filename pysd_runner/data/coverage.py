"""Which regions have enough output to start from and to compare, when some of them come late or end early."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidPanel, Message
from pysd_runner.core.findings import Finding
from pysd_runner.data.dataset import Data

OUTPUT = "output_per_head"

# No longer window is weighed: parameters that hold for longer are hard to believe.
LONGEST = 25
# Regions are left out only where that multiplies the region-years that can be compared by this much,
GAIN = 2.0
# or where the last year in which all regions have output lies further back than this: the news would be thrown away.
OLDEST = 3
# So many regions and 25 years take a search about two hours and a half on one core (`python -m benchmarks.regions`).
MOST_REGIONS = 3000
HOURS = 2.5
BYTES_A_REGION, BYTES_A_PAIR = 3.2e5, 35
# A choice of years that would lose more regions than this share is taken for a slip.
MOST_LOST = 0.5

LEFT_OUT = "incomplete-region"
NAMED = 8


def with_output(panel: Data, *, first_year: int | None = None, last_year: int | None = None) -> Data:
    """Leave out the regions without output per head where a calibration has to start and to end.

    Nothing is left out where the years in which every region has output are recent, and enough of them are there.
    Otherwise the regions stay that have output in both the first and the last year of the window in which most
    region-years are kept, ``regions x (last - first)``, windows of up to 25 years compared; cells missing in between do
    not matter.

    Parameters
    ----------
    panel
        Observations.
    first_year, last_year
        Ends of the window that somebody has chosen. Of more than half of the regions none is left out for their sake:
        such a year is rather a slip.

    Returns
    -------
    Data
        The same panel, or one with fewer regions and one more warning among its problems that names them.
    """
    chosen = [year for year in (first_year, last_year) if year is not None]
    if OUTPUT not in panel or not set(chosen) <= set(panel.years):
        return panel
    seen = np.isfinite(panel.array(OUTPUT))
    ends = _ends(panel.years, seen, first_year, last_year)
    kept = np.asarray(seen[:, [panel.years.index(year) for year in ends]].all(axis=1))
    if kept.all() or (chosen and kept.mean() < MOST_LOST):
        return panel
    # Only the ends that some region lacks are named.
    lacking = [year for year in ends if not seen[:, panel.years.index(year)].all()]
    return _subset(panel, kept, lacking)


def check_size(panel: Data) -> None:
    """Refuse a panel that would keep a calibration busy for many hours.

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
    """The regions of a panel that a fit was made on, when the panel holds more.

    Parameters
    ----------
    panel
        Observations.
    codes
        Region codes of the fit.

    Returns
    -------
    Data
        Those regions, or the panel as it is when it lacks one of them or has no other.
    """
    wanted = set(codes)
    if not wanted < set(panel.codes):
        return panel
    return panel.subset(entities=wanted)


def _ends(years: Sequence[int], seen: NDArray[np.bool_], first: int | None, last: int | None) -> tuple[int, ...]:
    """First and last year of the window that keeps most region-years, or nothing if all regions can be kept."""
    values = np.array(years)
    # Years are positive: the reader refuses others.
    allowed = np.outer(values == first if first else values > 0, values == last if last else values > 0)
    best, most = _widest(years, seen.T.astype(np.int64) @ seen.astype(np.int64) * allowed)
    whole = seen.all(axis=0).astype(np.int64)
    everywhere, all_kept = _widest(years, len(seen) * np.outer(whole, whole) * allowed)
    if not best or (everywhere and most < GAIN * all_kept and best[1] - everywhere[1] <= OLDEST):
        return ()
    return best


def _widest(years: Sequence[int], shared: NDArray[np.int64]) -> tuple[tuple[int, ...], int]:
    """Ends of the window with most region-years, and their number; the latest of equals."""
    # ``shared[i, j]`` is the number of regions seen in both the i-th and the j-th year.
    values = np.array(years)
    length = values[None, :] - values[:, None]
    kept = np.where((length > 0) & (length <= LONGEST) & (shared > 1), shared * length, 0)
    if not kept.any():
        return (), 0
    first, last = max(map(tuple, np.argwhere(kept == kept.max())), key=lambda pair: pair[1])
    return (int(values[first]), int(values[last])), int(kept.max())


def _subset(panel: Data, kept: NDArray[np.bool_], lacking: Sequence[int]) -> Data:
    gone = [region for region, stays in zip(panel.regions, kept, strict=True) if not stays]
    names = [region.code if region.name_en == region.code else f"{region.name_en} ({region.code})" for region in gone]
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    when = " or ".join(str(year) for year in lacking)
    problem = Finding(
        rule=LEFT_OUT,
        message=Message(
            "{count} of {all} regions are left out, without output per head in {years}: {regions}",
            count=len(gone),
            all=len(panel.regions),
            years=when,
            regions=shown,
        ),
        found=", ".join(region.code for region in gone),
        expected=Message(
            "output per head at both ends of the window; choose other years or fill the gaps to keep them"
        ),
        severity="warning",
    )
    fewer = panel.subset(entities=[region.code for region, stays in zip(panel.regions, kept, strict=True) if stays])
    return replace(fewer, problems=(problem, *fewer.problems))
