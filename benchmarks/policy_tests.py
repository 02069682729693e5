"""Policy effects of the model held against measured ones: python -m benchmarks.policy_tests --data FOLDER.

The first tests are blind: the protocol (docs/policy_tests.md) and the prediction were committed before an estimate was
computed. FOLDER holds the files of `FILES`; without them those tests are left out.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from pysd_runner.data import Data, load_data

Array = NDArray[np.float64]

RESULTS = Path(__file__).parents[1] / "models" / "regional_digital" / "evidence" / "tests.csv"
# Facts of Eurostat (nama_10r_2gdp, as of February 2026) and of the Commission (historic payments by region, tc55-7ysv)
# as kept in the public repository Chappuis5/EUcohesion, commit 8747b9ac, folders data/raw and data/interim.
FILES = {
    "eurostat_gdp_pc_pps_nuts2.csv": "63cc593478297cd4c8dc0ac7c39e4a749ac1b4243fc727fd10f4331c1a1a4fd8",
    "eurostat_nama_10r_2gdp.csv": "fa163a16d83b2ad88ee4a1b9e4d735cba84e17911afcda85ab58308af8f55ea9",
    "treatment_erdf.csv": "01331c52af2ab6a82e55132a38a7740c974f87d59b9918253b21b9954c794242",
}
MEMBERS = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
# Regions on the list of the Convergence objective 2007-13 (Decision 2006/595/EC, as on the Commission's page of
# eligible regions), in codes of today, in the countries whose lists were read to the end; an empty list: all regions.
LISTED = {
    "BG": "",
    "CZ": "CZ02 CZ03 CZ04 CZ05 CZ06 CZ07 CZ08",
    "DE": "DE80 DED2 DED4 DEG0",
    "EE": "",
    "EL": "EL41 EL43 EL51 EL54 EL61 EL62 EL63 EL65",
    "ES": "ES11 ES42 ES43 ES61",
    "FR": "FRY1 FRY2 FRY3 FRY4",
    "HU": "HU21 HU22 HU23 HU31 HU32 HU33",
    "IT": "ITF3 ITF4 ITF6 ITG1",
    "LT": "",
    "LV": "",
    "MT": "",
    "PL": "",
}
# Regions that were merged from listed and other ones, or were no part of the Union's statistics then.
MIXED = ("DE40", "DEE0", "FRY5")
# Codes of payments where they differ from those of output.
RECODED = {
    "FRB0": "FR24", "FRC1": "FR26", "FRC2": "FR43", "FRD1": "FR25", "FRD2": "FR23", "FRE1": "FR30",
    "FRE2": "FR22", "FRF1": "FR42", "FRF2": "FR21", "FRF3": "FR41", "FRG0": "FR51", "FRH0": "FR52",
    "FRI1": "FR61", "FRI2": "FR63", "FRI3": "FR53", "FRJ1": "FR81", "FRJ2": "FR62", "FRK1": "FR72",
    "FRK2": "FR71", "FRL0": "FR82", "FRM0": "FR83", "FRY1": "FR91", "FRY2": "FR92", "FRY3": "FR93",
    "FRY4": "FR94", "PL71": "PL11", "PL72": "PL33", "PL81": "PL31", "PL82": "PL32", "PL84": "PL34",
}  # fmt: skip
# All structural funds over the regional fund, 2007-13: 278 (read) over 201 (recalled) billion euro.
FUNDS = 278 / 201
EUROS_OF = 2014
# Cut-off of 2007-13 in revised figures, in percent of the average of the Union of today: `cutoff_of` finds it.
CUTOFF = 81.45
BANDWIDTH, OTHER_BANDWIDTHS, PLACEBOS = 25.0, (15.0, 40.0), (-15.0, 15.0, 25.0)
# Places on the lists of Broadband China by province and year of listing (Ministry of Industry and Information
# Technology, National Development and Reform Commission; the Changsha cluster counted as its three cities), and places
# of level 2 in each province in 2014 (general knowledge; districts for Chongqing).
BROADBAND = Path(__file__).parent / "broadband_china.csv"
PERMUTATIONS = 999
# Published effects, errors and what was read; the errors of the last two are half of a published range, an assumption.
PUBLISHED = (
    (
        "year_up",
        0.248,
        0.0219,
        "7,011 (619) dollars of earnings in the third year over 28,290 dollars a person (Fein and Hamadyk 2018)",
    ),
    (
        "job_corps",
        0.0176,
        0.0082,
        "441 (206) dollars of earnings in the third year over 25,126 dollars a person (Schochet 2018)",
    ),
    (
        "german_counties",
        0.7,
        0.2,
        "10 points of 50 Mbit/s coverage, panel of counties (ZEW 2020); half of a range as error",
    ),
    (
        "oecd_broadband",
        4.8,
        1.1,
        "10 points of penetration in 2003, output in 2007 (Czernich et al. 2009); half of a range as error",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A programming period.

    Attributes
    ----------
    reference
        Years whose output per head decided who was eligible.
    cutoff
        Percent of the Union's average output per head; None where it has to be found from `LISTED`.
    before, last
        Years between which growth is measured; money is that of the years after `before`.
    average
        Output per head of the Union in `before`, in purchasing power standards.
    amounts
        Billion euro for seven years, and million people, of regions below the cut-off, of those in the category next
        above, and of all others.
    """

    name: str
    reference: tuple[int, ...]
    cutoff: float | None
    before: int
    last: int
    average: float
    amounts: tuple[tuple[float, float], ...]

    def money(self, cutoff: float) -> tuple[float, float]:
        """Money below the cut-off less that above it in percent of output there: least and most of what is published.

        Parameters
        ----------
        cutoff
            Percent of the Union's average.
        """
        below, *above = (1e3 * money / people / 7 for money, people in self.amounts)
        differences = [100 * (below - other) / (cutoff / 100 * self.average) for other in above]
        return min(differences), max(differences)


# Amounts of 2007-13 in prices of the time, of 2014-20 in those of 2011.
PERIODS = (
    Period(
        name="funds_2007_13",
        reference=(2000, 2001, 2002),
        cutoff=None,
        before=2006,
        last=2013,
        average=23200,
        amounts=((199.3, 154), (14.0, 16.4), (54.7, 314)),
    ),
    Period(
        name="funds_2014_19",
        reference=(2007, 2008, 2009),
        cutoff=75.0,
        before=2013,
        last=2019,
        average=26100,
        amounts=((164.279, 119.2), (31.677, 72.4), (49.492, 307)),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A coefficient with its standard error and the number of observations that carry weight."""

    value: float
    error: float
    count: int

    def power(self, effect: float) -> float:
        """Chance that a two-sided test at 5 % rejects zero if an effect is true."""
        far, edge = abs(effect) / self.error, norm.ppf(0.975)
        return float(norm.cdf(far - edge) + norm.cdf(-far - edge))


def least_squares(
    outcome: Array, regressors: Array, clusters: Array, weights: Array | None = None
) -> tuple[Array, Array]:
    """Coefficients, and standard errors robust to correlation within clusters.

    Parameters
    ----------
    outcome
        Shape (observation,).
    regressors
        Shape (observation, regressor).
    clusters
        Labels of clusters.
    weights
        Positive weights of observations; None weighs them equally.
    """
    weighted = regressors if weights is None else regressors * weights[:, None]
    inverse = np.linalg.pinv(weighted.T @ regressors)
    found = inverse @ weighted.T @ outcome
    scores = weighted * (outcome - regressors @ found)[:, None]
    labels, places = np.unique(clusters, return_inverse=True)
    summed = np.zeros((len(labels), scores.shape[1]))
    np.add.at(summed, places, scores)
    count, groups = len(outcome), len(labels)
    small = groups / (groups - 1) * (count - 1) / (count - np.linalg.matrix_rank(regressors))
    return found, np.sqrt(np.diag(small * inverse @ summed.T @ summed @ inverse).clip(0))


def jump(
    regions: pd.DataFrame,
    outcome: str,
    cutoff: float,
    bandwidth: float = BANDWIDTH,
    *,
    countries: bool = False,
) -> Estimate:
    """Difference of an outcome between regions just below and just above a cut-off.

    Local linear regression with a slope on each side, triangular weights and errors clustered by country.

    Parameters
    ----------
    regions
        Columns running, country, and the outcome.
    outcome
        Column.
    cutoff, bandwidth
        Percent of the average, points.
    countries
        Whether each country has a level of its own.
    """
    rows = regions.dropna(subset=[outcome])
    centred = rows["running"].to_numpy() - cutoff
    weights = (1 - np.abs(centred) / bandwidth).clip(0)
    rows, centred, weights = rows[weights > 0], centred[weights > 0], weights[weights > 0]
    below = (centred < 0).astype(float)
    others = [np.ones(len(rows)), centred, centred * below]
    if countries:
        others += [(rows["country"] == name).to_numpy(float) for name in sorted(set(rows["country"]))[1:]]
    regressors = np.column_stack([below, *others])
    found, errors = least_squares(rows[outcome].to_numpy(float), regressors, rows["country"].to_numpy(), weights)
    return Estimate(value=float(found[0]), error=float(errors[0]), count=len(rows))


def read(folder: Path | None) -> dict[str, pd.DataFrame] | None:
    """The tables of `FILES` by name; None where one is not there.

    Parameters
    ----------
    folder
        Where they are.
    """
    if folder is None or not all((folder / name).exists() for name in FILES):
        return None
    for name, expected in FILES.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{folder / name} is another file than expected ({expected[:12]}...)")
    return {name: pd.read_csv(folder / name, keep_default_na=False) for name in FILES}


def regions_of(period: Period, tables: Mapping[str, pd.DataFrame], *, outcomes: bool) -> pd.DataFrame:
    """Regions of level 2: running variable, money in percent of output a year and, if asked, growth in percent.

    Parameters
    ----------
    period
        Programming period.
    tables
        As read.
    outcomes
        Whether output of the years of the programme is read at all; the prediction needs none of it.
    """
    heads, totals, payments = (tables[name] for name in FILES)
    years = {*period.reference, *((period.before, period.last) if outcomes else ())}
    heads = heads[heads["time"].isin(years)]
    wide = heads.astype({"obs_value": float}).pivot(index="geo", columns="time", values="obs_value")
    reference = list(period.reference)
    found = pd.DataFrame({"running": 100 * wide[reference].mean(axis=1, skipna=False)})
    found["running"] /= wide.loc["EU27_2020", reference].mean()
    found["country"] = found.index.str[:2]
    if outcomes:
        found["growth"] = 100 * np.log(wide[period.last] / wide[period.before])
    found = found[(found.index.str.len() == 4) & found["country"].isin(MEMBERS)].dropna(subset=["running"])
    paid = payments[payments["year"].between(period.before + 1, period.last)].groupby("nuts2_id")["erdf_eur"].mean()
    euros = totals[(totals["TIME_PERIOD"] == EUROS_OF) & (totals["unit"] == "MIO_EUR")].set_index("geo")["OBS_VALUE"]
    codes = found.index.map(lambda code: RECODED.get(code, code))
    found["money"] = 100 * FUNDS * paid.reindex(codes).to_numpy() / (1e6 * euros.reindex(found.index).astype(float))
    return found.assign(money=found["money"].where(found["money"] > 0))


def cutoff_of(period: Period, regions: pd.DataFrame) -> tuple[float, float]:
    """Cut-off in revised figures, and the share of regions with a known list that it classifies as the list did.

    Parameters
    ----------
    period
        Programming period.
    regions
        Running variable by region.
    """
    known = regions[regions["country"].isin(LISTED) & ~regions.index.isin(MIXED)]
    listed = [not LISTED[code[:2]] or code in LISTED[code[:2]] for code in known.index]
    if period.cutoff is not None:
        return period.cutoff, float("nan")
    tried = np.arange(70.0, 90.0, 0.1)
    right = np.array([((known["running"] < value) == listed).mean() for value in tried])
    best = tried[np.isclose(right, right.max())]
    return float((best[0] + best[-1]) / 2), float(right.max())


def growth_at_cutoff(period: Period, tables: Mapping[str, pd.DataFrame]) -> dict[str, Estimate]:
    """The estimate of the protocol and its checks, by name.

    Parameters
    ----------
    period
        Programming period.
    tables
        As read.
    """
    regions = regions_of(period, tables, outcomes=True)
    cutoff, _ = cutoff_of(period, regions)
    regions = regions[~regions.index.isin(MIXED)]
    found = {"estimate": jump(regions, "growth", cutoff, countries=True), "pooled": jump(regions, "growth", cutoff)}
    for bandwidth in OTHER_BANDWIDTHS:
        found[f"bandwidth {bandwidth:.0f}"] = jump(regions, "growth", cutoff, bandwidth, countries=True)
    for distance in PLACEBOS:
        one_side = regions[(regions["running"] < cutoff) == (distance < 0)]
        found[f"placebo {distance:+.0f}"] = jump(one_side, "growth", cutoff + distance, countries=True)
    return found | {
        "payments": jump(regions, "money", cutoff),
        "in country": jump(regions, "money", cutoff, countries=True),
    }


def panel_effect(outcome: Array, dose: Array, *, trends: bool) -> tuple[Estimate, float]:
    """Coefficient of a dose with effects of regions and years, errors clustered by region, and its permutation p value.

    Parameters
    ----------
    outcome, dose
        Shape (region, year).
    trends
        Whether every region has a trend of its own.
    """
    count, years = outcome.shape
    effects = [np.repeat(np.eye(count), years, axis=0), np.tile(np.eye(years), (count, 1))[:, 1:]]
    if trends:
        effects.append(effects[0][:, 1:] * np.tile(np.arange(years), count)[:, None])
    others = np.column_stack(effects)
    basis, _ = np.linalg.qr(others)
    residual = outcome.ravel() - basis @ (basis.T @ outcome.ravel())
    regressors = np.column_stack([dose.ravel(), others])
    found, errors = least_squares(outcome.ravel(), regressors, np.repeat(np.arange(count), years))

    def slope(doses: Array) -> float:
        rest = doses.ravel() - basis @ (basis.T @ doses.ravel())
        return float(rest @ residual / (rest @ rest))

    rng = np.random.default_rng(0)
    shuffled = np.abs([slope(dose[rng.permutation(count)]) for _ in range(PERMUTATIONS)])
    larger = int((shuffled >= abs(found[0]) - 1e-12).sum())
    return Estimate(value=float(found[0]), error=float(errors[0]), count=outcome.size), (1 + larger) / (
        1 + PERMUTATIONS
    )


def listed(data: Data, years: Sequence[int]) -> Array:
    """Share of the places of each province on the lists of Broadband China until a year, shape (region, year)."""
    table = pd.read_csv(BROADBAND, dtype={"code": str}).set_index("code").loc[list(data.codes)]
    counts = np.column_stack(
        [table[[f"listed_{at}" for at in (2014, 2015, 2016) if at <= year]].sum(axis=1) for year in years]
    )
    return np.asarray(counts / table["places"].to_numpy()[:, None], dtype=float)


def broadband(data: Data) -> dict[str, tuple[Estimate, float]]:
    """Effects of Broadband China on the shipped provinces in percent or points: estimate and permutation p, by name."""
    found = {}
    for name, variable, first, trends in (
        ("ports", "broadband_ports", 2007, False),
        ("mobile internet", "mobile_internet_users", 2014, False),
        ("output", "output", 2007, False),
        ("output, trends", "output", 2007, True),
        ("output from 2010, trends", "output", 2010, True),
    ):
        years = range(first, 2020)
        places = [data.years.index(year) for year in years]
        values = data.array(variable)[:, places]
        if variable == "mobile_internet_users":
            values = 100 * values / data.array("population")[:, places]
        else:
            values = 100 * np.log(values / (data.array("population")[:, places] if variable != "output" else 1))
        whole = np.isfinite(values).all(axis=0)
        found[name] = panel_effect(values[:, whole], listed(data, list(years))[:, whole], trends=trends)
    return found


COLUMNS = (
    "name", "kind", "basis", "en", "zh", "unit", "median", "low", "high",
    "estimate", "error", "width", "power", "power_twice", "inside", "inside_with_error", "note",
)  # fmt: skip


def row_of(predicted: Mapping[str, object], estimate: Estimate | None, note: str = "") -> dict[str, object]:
    """A row of the table: a prediction beside an estimate, the width of the one and the power of the other.

    Parameters
    ----------
    predicted
        Name, kind, basis, en, zh, unit, and median, low and high of the prediction (90 %).
    estimate
        What was measured; None before it is.
    note
        Anything to be said.
    """
    median, low, high = (float(str(predicted[key])) for key in ("median", "low", "high"))
    row = {**predicted, "width": (high - low) / abs(median)}
    if estimate is not None:
        wider = norm.ppf(0.95) * estimate.error
        bottom, top = median - np.hypot(median - low, wider), median + np.hypot(high - median, wider)
        row |= {
            "estimate": estimate.value,
            "error": estimate.error,
            "power": estimate.power(median),
            "power_twice": estimate.power(2 * median),
            "inside": low <= estimate.value <= high,
            "inside_with_error": bool(bottom <= estimate.value <= top),
            "note": note,
        }
    return {key: row.get(key, "") for key in COLUMNS}


def estimates(tables: Mapping[str, pd.DataFrame] | None) -> tuple[dict[str, Estimate], dict[str, str]]:
    """What was measured, and what is to be said of it, by name of the test; without tables, what ships.

    Parameters
    ----------
    tables
        As read; None leaves the structural funds out.
    """
    found, notes = {}, {}
    for period in PERIODS:
        if tables is None:
            break
        each = growth_at_cutoff(period, tables)
        found[period.name] = each["estimate"]
        notes[period.name] = "; ".join(f"{name} {item.value:.2f} ({item.error:.2f})" for name, item in each.items())
    listings = broadband(load_data("china", panel=True))
    found["broadband_china"] = listings["output, trends"][0]
    notes["broadband_china"] = "; ".join(
        f"{name} {item.value:.1f} ({item.error:.1f}), permutation p {chance:.2f}"
        for name, (item, chance) in listings.items()
    )
    for name, value, error, said in PUBLISHED:
        found[name], notes[name] = Estimate(value=value, error=error, count=0), said
    return found, notes


def main(given: Sequence[str] | None = None) -> int:
    """Predict, or estimate and print the table.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        Exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy_tests", description=__doc__)
    parser.add_argument(
        "--predict", type=Path, default=None, metavar="FIT", help="folder fit of gapsim demo: predict anew"
    )
    parser.add_argument("--basis", default="evidence", choices=("prior", "posterior", "evidence"), help="for --predict")
    parser.add_argument("--draws", type=int, default=1000, help="draws of a prediction (1000)")
    parser.add_argument("--data", type=Path, default=None, help="folder of the files of the structural funds")
    parser.add_argument("--results", type=Path, default=RESULTS, help="table that is read and written")
    options = parser.parse_args(given)
    table = pd.read_csv(options.results, keep_default_na=False) if options.results.exists() else pd.DataFrame()
    rows: dict[str, Mapping[str, object]] = {
        str(row["name"]): {str(key): value for key, value in row.items()} for row in table.to_dict("records")
    }
    tables = read(options.data)
    if options.predict is not None:
        from benchmarks.policy_predictions import predictions

        # A blind prediction stays as it was once its estimate is in.
        for row in predictions(options.predict, options.basis, options.draws):
            before = rows.get(str(row["name"]), {})
            if row["kind"] != "blind" or before.get("estimate", "") == "":
                rows[str(row["name"])] = {**before, **row}
    elif tables is None:
        print(f"structural funds: left out, --data has not {', '.join(FILES)}")
    found, notes = estimates(tables) if options.predict is None else ({}, {})
    made = [
        row_of(row, found[name], notes[name]) if name in found else {key: row.get(key, "") for key in COLUMNS}
        for name, row in rows.items()
    ]
    result = pd.DataFrame(made, columns=list(COLUMNS))
    result.to_csv(options.results, index=False, float_format="%.3g", lineterminator="\n")
    print(result.drop(columns=["zh", "note"]).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
