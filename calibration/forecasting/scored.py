"""The result of a back-test: scores by forecaster, origin, region and horizon, and tables of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.forecasting.models import REFERENCE, BacktestPlan
from calibration.forecasting.scores import LEVELS, diebold_mariano, mean_interval, percent, ratio_interval
from pysd_runner.core.types import Array, Arrays, Record, frozen
from pysd_runner.export.files import Tabled, one_screen

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

# Columns of the table that a notebook shows.
SUMMARY = (
    "model",
    "horizon",
    "origins",
    "rmse",
    "rmse_ratio_to_persistence",
    "crps_ratio_to_persistence",
    "coverage_90",
)


@frozen(eq=False, repr=False)
class Backtest(Tabled):
    """Scores of rolling-origin forecasts.

    Attributes
    ----------
    panel
        Name of the panel or table.
    scores
        One variable per score (see `calibration.forecasting.scores.all_scores`), dimensions model, origin, region (row
        for a table) and horizon; coordinate ``group`` on regions. NaN where there is no realisation.
    draws, seed
        Number of draws and seed of every forecast.
    """

    panel: str
    scores: "xr.Dataset"
    draws: int
    seed: int

    def __repr__(self) -> str:
        sizes, origins = self.scores.sizes, self.scores["origin"].to_numpy()
        what = f"{sizes['model']} forecasters, {sizes[self.rows]} {self.rows}s, {len(origins)} origins"
        return f"<Backtest on {self.panel!r}: {what} from {origins[0]:g} to {origins[-1]:g}, {self.draws} draws>"

    def _repr_html_(self) -> str:
        """Errors relative to persistence and coverage, by forecaster and horizon."""
        return one_screen(self.table()[list(SUMMARY)])

    def skill(self) -> list[dict[str, Any]]:
        """Scores pooled over origins and regions, relative to persistence, one row per forecaster and horizon.

        Ratios below 1 are better than persistence. ``..._low`` and ``..._high`` bound 90 % block-bootstrap intervals
        over origins; ``dm_...`` is the Diebold-Mariano test of squared errors or CRPS against persistence, negative
        if better. Errors are those of log relative output. An undefined value is None; a horizon without realisations
        has no row.
        """
        rows = [
            self._row(str(model), int(horizon))
            for model in self.scores["model"].values
            for horizon in self.scores["horizon"].values
        ]
        return [row for row in rows if row["origins"]]

    def table(self) -> "pd.DataFrame":
        """The rows of `skill` as a table."""
        import pandas as pd

        return pd.DataFrame(self.skill())

    def by(self, dimension: str) -> "pd.DataFrame":
        """Root mean squared error and CRPS by forecaster, horizon, and origin, region or group.

        Parameters
        ----------
        dimension
            ``"origin"``, ``"region"`` (``"row"`` for a table) or ``"group"``.

        Returns
        -------
        pandas.DataFrame
            Columns model, horizon, the dimension, rmse, crps, coverage_50, coverage_90, and both ratios to persistence.
        """
        chosen = self.scores[["error", "crps", "covered_50", "covered_90"]]
        chosen = chosen.assign(square=chosen["error"] ** 2).drop_vars("error")
        if dimension == "group":
            pooled = chosen.mean("origin").groupby("group").mean()
        else:
            pooled = chosen.mean([dim for dim in ("origin", self.rows) if dim != dimension])
        pooled = pooled.assign(rmse=pooled["square"] ** 0.5)
        reference = pooled.sel(model=REFERENCE, drop=True)
        pooled = pooled.assign(
            rmse_ratio_to_persistence=pooled["rmse"] / reference["rmse"],
            crps_ratio_to_persistence=pooled["crps"] / reference["crps"],
        )
        names = {"covered_50": "coverage_50", "covered_90": "coverage_90"}
        frame = pooled.drop_vars("square").to_dataframe().reset_index().rename(columns=names)
        return frame.dropna(subset="rmse").reset_index(drop=True)

    def dispersion(self, model: str) -> Record:
        """How well a forecaster predicted whether dispersion falls.

        Parameters
        ----------
        model
            Name of the forecaster.

        Returns
        -------
        dict
            ``held``: by horizon, the number of origins with a correct prediction, and of those with a realisation.
            ``brier`` and ``brier_base``: Brier score over all origins and horizons, and that of the base rate known at
            the time; None without realisations.
        """
        chosen = self.scores.sel(model=model)
        falls, fell, base = (
            chosen[f"dispersion_{name}"].transpose("horizon", "origin").values for name in ("falls", "fell", "base")
        )
        known = np.isfinite(fell)
        held = ((falls > 1 / 2) == (fell == 1)) & known
        return {
            "held": {
                int(step): (int(right.sum()), int(told.sum()))
                for step, right, told in zip(chosen["horizon"].values, held, known, strict=True)
                if told.any()
            },
            "brier": _told(_mean((falls - fell) ** 2)),
            "brier_base": _told(_mean((base - fell) ** 2)),
        }

    def regret(self, model: str) -> dict[int, float]:
        """RMSE relative to the best of the other forecasters in hindsight, minus 1, by horizon.

        Parameters
        ----------
        model
            Name of a forecaster.
        """
        if self.scores.sizes["model"] == 1:
            return {}
        square = (self.scores["error"] ** 2).mean(("origin", self.rows))
        best = square.drop_sel(model=model).min("model")
        ratios = (square.sel(model=model) / best) ** 0.5 - 1
        return {
            int(step): float(value)
            for step, value in zip(ratios["horizon"].values, ratios.values, strict=True)
            if np.isfinite(value)
        }

    @property
    def rows(self) -> str:
        """Name of the dimension of rows: region, or row for a table."""
        return str(next(dim for dim in self.scores["error"].dims if dim not in ("model", "origin", "horizon")))

    def _of(self, score: str, model: str, horizon: int) -> Array:
        """One score, shape (origin, row)."""
        at = {
            name: self.scores.indexes[name].get_loc(value) for name, value in (("model", model), ("horizon", horizon))
        }
        return np.asarray(self.scores.variables[score].isel(at).transpose("origin", ...).values, dtype=float)

    def _row(self, model: str, horizon: int) -> dict[str, Any]:
        error, crps = self._of("error", model, horizon), self._of("crps", model, horizon)
        square, squares = error**2, self._of("error", REFERENCE, horizon) ** 2
        reference = self._of("crps", REFERENCE, horizon)
        known = np.isfinite(error)
        row: dict[str, Any] = {
            "model": model,
            "horizon": horizon,
            "origins": int(known.any(axis=1).sum()),
            "regions": int(known.any(axis=0).sum()),
            "rmse": _mean(square) ** 0.5,
            "mae": _mean(np.abs(error)),
            "crps": _mean(crps),
            "rmse_ratio_to_persistence": _ratio(_mean(square), _mean(squares)) ** 0.5,
            "crps_ratio_to_persistence": _ratio(_mean(crps), _mean(reference)),
        }
        intervals = {
            "rmse_ratio": ratio_interval(square, squares, horizon, power=0.5),
            "crps_ratio": ratio_interval(crps, reference, horizon),
        }
        for level in LEVELS:
            covered = self._of(f"covered_{percent(level)}", model, horizon)
            row[f"coverage_{percent(level)}"] = _mean(covered)
            intervals[f"coverage_{percent(level)}"] = mean_interval(covered, horizon)
        for name, (low, high) in intervals.items():
            row |= {f"{name}_low": low, f"{name}_high": high}
        tests = {"dm_squared": (square, squares), "dm_crps": (crps, reference)}
        for name, (own, other) in tests.items():
            test = diebold_mariano(own, other, horizon)
            row |= {name: test.statistic, f"{name}_p": test.p_value}
        return {name: _told(value) for name, value in row.items()}


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _ratio(value: float, to: float) -> float:
    """Ratio of two values; NaN unless the second is positive."""
    return value / to if to > 0 else float("nan")


def _told(value: Any) -> Any:
    """Replace a non-finite number by None, so that a row is valid JSON."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def assembled(plan: BacktestPlan, scores: Mapping[int, Mapping[str, Arrays]]) -> Backtest:
    """Combine the scores of all origins in one labelled data set."""
    import xarray as xr

    target, row = plan.target, plan.target.axes[0]
    first = next(iter(scores[plan.origins[0]].values()))
    kept = [horizon - 1 for horizon in plan.horizons]
    data = {}
    for name, sample in first.items():
        stacked = np.stack([np.stack([scores[year][model][name] for year in plan.origins]) for model in plan.models])
        dims = ("model", "origin", row, "horizon") if sample.ndim == 2 else ("model", "origin", "horizon")
        data[name] = (dims, stacked[..., kept])
    coordinates = {
        "model": list(plan.models),
        "origin": list(plan.origins) if target.moments is None else target.moments[list(plan.origins)].tolist(),
        row: list(target.rows),
        "horizon": list(plan.horizons),
    }
    if target.groups:
        coordinates["group"] = (row, list(target.groups))
    attributes = {"panel": target.name, "draws": plan.draws, "seed": plan.seed, "digest": plan.digest}
    return Backtest(
        panel=target.name,
        scores=xr.Dataset(data, coords=coordinates, attrs=attributes),
        draws=plan.draws,
        seed=plan.seed,
    )
