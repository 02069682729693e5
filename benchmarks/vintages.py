"""What revisions do to forecasts of Chinese provinces: python -m benchmarks.vintages --data FOLDER.

A forecaster sees data as they stood. Here the same forecasters are given an older vintage, and are judged once by that
vintage and once by the latest one; beside it stands what they would have done with the latest data.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.comparators import compared
from calibration.forecasting import Target, origin_at, target_of
from calibration.forecasting.forecaster import Memory
from calibration.forecasting.models import REFERENCE
from calibration.forecasting.scores import crps
from pysd_runner.data import Data, Entity

Array = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "shared" / "data"
CORE, OLD = "china_province_core.csv", "china_province_vintage2018.csv"
NAMES = ("damped_drift", "mean_of_good", "filtered", "gapsim")
HORIZON, DRAWS = 5, 500
# Fewer origins than this at a horizon are reported, not counted.
COUNTED = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Vintage:
    """A vintage of output and population.

    Attributes
    ----------
    name
        What tables call it.
    output, population
        Variables, and the file of each.
    first_origin
        None for the ninth year.
    """

    name: str
    output: tuple[str, str]
    population: tuple[str, str]
    first_origin: int | None = None


LATEST = Vintage(name="latest", output=(CORE, "gdp_nominal"), population=(CORE, "population_yearend"))
VINTAGES = (
    Vintage(name="4th census", output=(CORE, "gdp_nominal_v4"), population=(CORE, "population_yearend")),
    Vintage(
        name="2018",
        output=(OLD, "gdp_nominal_v3"),
        population=(OLD, "population_yearend_v3"),
        first_origin=2012,
    ),
)


def read(vintage: Vintage, folder: Path) -> Data:
    """A panel of output per head in years in which both output and population are known.

    Parameters
    ----------
    vintage
        Which one.
    folder
        Where the files are.

    Returns
    -------
    Panel
        Output per head in yuan per year and resident.
    """
    output, population = (_wide(folder / file, name) for file, name in (vintage.output, vintage.population))
    years = sorted(set(output.columns) & set(population.columns))
    per_head = output[years] / population.loc[output.index, years] * 1e4
    groups = pd.read_csv(folder / CORE, dtype={"region_code": str}).drop_duplicates("region_code")
    known = groups.set_index("region_code")
    places = tuple(
        Entity(code=code, name_en=known.loc[code, "region"], name_zh="", group=known.loc[code, "group"])
        for code in per_head.index
    )
    return Data.by_region(
        name=f"china, {vintage.name}",
        regions=places,
        years=tuple(int(year) for year in years),
        values={"output_per_head": per_head.to_numpy(dtype=float)},
        units={"output_per_head": "Yuan/(Year*Person)"},
    )


def _wide(path: Path, variable: str) -> pd.DataFrame:
    """One variable, a row for each region and a column for each year."""
    rows = pd.read_csv(path, dtype={"region_code": str})
    return rows[rows["variable"] == variable].pivot(index="region_code", columns="year", values="value").sort_index()


def compare(
    vintage: Data,
    latest: Data,
    *,
    names: Iterable[str] = NAMES,
    first_origin: int | None = None,
    horizon: int = HORIZON,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Score forecasts made with a vintage against that vintage and the latest one, and those made with the latest.

    Parameters
    ----------
    vintage, latest
        Of the same regions.
    names
        Forecasters besides persistence.
    first_origin
        None for the ninth year of the vintage. The last one is the last year but one of the vintage.
    horizon, draws, seed
        Of every forecast.

    Returns
    -------
    pandas.DataFrame
        Rows by ``seen`` and ``judged`` (``vintage`` or ``latest``), model and horizon: origins, rmse, crps, and both as
        ratios to persistence of the same data.
    """
    targets = {"vintage": target_of(vintage), "latest": target_of(latest)}
    years = targets["vintage"].times
    origins = range(years[8] if first_origin is None else first_origin, years[-1])
    known, rows = compared(), []
    chosen = {name: known[name] for name in dict.fromkeys((REFERENCE, *names))}
    for seen, judges in (("vintage", ("vintage", "latest")), ("latest", ("latest",))):
        memory = Memory()
        losses: dict[tuple[str, str], list[tuple[Array, Array]]] = {}
        for year in origins:
            origin = origin_at(targets[seen], year, memory=memory)
            for name, model in chosen.items():
                found = model.forecast(origin, horizon=horizon, draws=draws, seed=seed)
                for judged in judges:
                    # The same years are judged everywhere: those that the vintage reaches.
                    realised = _came(targets[judged], targets["vintage"], year, horizon)
                    pair = ((found.point - realised) ** 2, crps(found.draws, realised))
                    losses.setdefault((judged, name), []).append(pair)
        rows += _rows(seen, losses, horizon)
    return pd.DataFrame(rows)


def _came(judge: Target, vintage: Target, year: int, horizon: int) -> Array:
    """What a judge says came after a year, shape (region, horizon); NaN beyond the vintage."""
    places = [judge.rows.index(code) for code in vintage.rows]
    result = np.full((len(places), horizon), np.nan)
    for step in range(min(horizon, vintage.times[-1] - year)):
        result[:, step] = judge.values[places, judge.position(year + step + 1)]
    return result


def _rows(
    seen: str, losses: Mapping[tuple[str, str], list[tuple[Array, Array]]], horizon: int
) -> list[dict[str, object]]:
    """Means over origins and regions, and ratios to persistence."""
    rows: list[dict[str, object]] = []
    pooled = {key: [np.stack(part) for part in zip(*pairs, strict=True)] for key, pairs in losses.items()}
    for (judged, name), (square, score) in pooled.items():
        squares, scores = pooled[judged, "persistence"]
        for step in range(horizon):
            known = np.isfinite(square[:, :, step])
            if not known.any():
                continue
            rmse, least = (float(np.sqrt(item[:, :, step][known].mean())) for item in (square, squares))
            own, other = (float(item[:, :, step][known].mean()) for item in (score, scores))
            rows.append(
                {
                    "seen": seen,
                    "judged": judged,
                    "model": name,
                    "horizon": step + 1,
                    "origins": int(known.any(axis=1).sum()),
                    "rmse": rmse,
                    "crps": own,
                    "rmse_ratio_to_persistence": rmse / least,
                    "crps_ratio_to_persistence": own / other,
                }
            )
    return rows


def revisions(vintage: Data, latest: Data) -> tuple[float, float]:
    """Standard deviation over regions and years of revisions of log relative output: of its level, and of its change.

    Parameters
    ----------
    vintage, latest
        Of the same regions.
    """
    old, new = target_of(vintage), target_of(latest)
    first, last = (new.position(year) for year in (old.times[0], old.times[-1]))
    places = [new.rows.index(code) for code in old.rows]
    revised = new.values[places, first : last + 1] - old.values
    return float(revised.std()), float(np.diff(revised, axis=1).std())


def table(rows: pd.DataFrame) -> str:
    """In Markdown: RMSE ratio to persistence by horizon for each forecaster, and RMSE of persistence itself."""
    cases = (("vintage", "vintage"), ("vintage", "latest"), ("latest", "latest"))
    horizons = sorted(rows["horizon"].unique())
    lines = ["| forecaster | seen | judged by | " + " | ".join(f"{step} y" for step in horizons) + " |"]
    lines.append("|" + "---|" * (3 + len(horizons)))
    for name in rows["model"].unique():
        column = "rmse" if name == "persistence" else "rmse_ratio_to_persistence"
        label = "RMSE of persistence" if name == "persistence" else f"`{name}`"
        for seen, judged in cases:
            chosen = rows[(rows["model"] == name) & (rows["seen"] == seen) & (rows["judged"] == judged)]
            cells = [f"{value:.3f}" for value in chosen.sort_values("horizon")[column]]
            lines.append(f"| {label} | {seen} | {judged} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def results(folder: Path, *, draws: int = DRAWS) -> str:
    """Tables of all vintages in Markdown.

    Parameters
    ----------
    folder
        Holds the files of provinces.
    draws
        Of every forecast.
    """
    latest = read(LATEST, folder)
    parts = []
    for vintage in VINTAGES:
        old = read(vintage, folder)
        rows = compare(old, latest, first_origin=vintage.first_origin, draws=draws)
        level, change = revisions(old, latest)
        most = int(rows["origins"].max())
        note = "" if most >= COUNTED else f" Fewer than {COUNTED} origins: reported, not counted."
        parts.append(
            f'Vintage "{vintage.name}", {old.years[0]}-{old.years[-1]}, {most} origins. Revisions of log relative '
            f"output have a standard deviation of {level:.3f}, those of its yearly change {change:.3f}.{note}"
            f"\n\n{table(rows)}"
        )
    return "\n\n".join(parts)


def main(given: Sequence[str] | None = None) -> int:
    """Print the tables; exit code 2 where the files are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vintages", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the files of provinces")
    parser.add_argument("--draws", type=int, default=DRAWS, help="draws of each forecast (500)")
    options = parser.parse_args(given)
    missing = [name for name in (CORE, OLD) if not (options.data / name).exists()]
    if missing:
        print(f"{options.data} has no {', '.join(missing)}; name the folder with --data", file=sys.stderr)
        return 2
    print(results(options.data, draws=options.draws))
    return 0


if __name__ == "__main__":
    sys.exit(main())
