"""The result of a forecast: its draws, the weights of its members, and the scores of past forecasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from calibration.fitting.results import Fit
from calibration.forecasting.target import RELATIVE, Target, relative_array
from calibration.observation.series import last_level
from pysd_runner.core.calendar import said_time
from pysd_runner.core.errors import UnknownName
from pysd_runner.core.types import Array, Numbers, Record
from pysd_runner.data import Data
from pysd_runner.export.files import Tabled
from pysd_runner.indicators.events import Chance
from pysd_runner.plots.bands import LEVELS
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.text import texts, translate

# Number of years of history drawn.
BEHIND = 15


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Outlook(Tabled):
    """A forecast of the relative output of regions, or of the columns of a table.

    Attributes
    ----------
    draws
        Predictive draws by name, joint over rows and times: ``relative_output`` with dimensions (draw, region, year) in
        log points relative to the mean of the regions; or the columns of a table, (draw, entity, time), in their units.
    target
        The observations of the forecast quantity.
    data
        The panel or table.
    model
        Name of the forecaster.
    weights
        Weights of the members of a mixture by name, or the forecaster itself with weight 1.
    chances
        Probabilities of the requested events.
    past
        Scores of the same forecaster at past origins, rows as in `Backtest.skill`; empty if not requested. The origins
        are the defaults of `backtest`; on a panel too short for these, every origin that can be scored.
    past_origins
        The past origins; each row gives the number of them that were early enough for its horizon.
    dispersion
        How well the forecaster predicted at past origins whether dispersion falls (`Backtest.dispersion`); empty if
        not requested, and for a table.
    verdict, disturbance, moved
        For a table, in words: whether the forecast was better than persistence, how the stocks of the model are
        disturbed, and why the forecast ends at another time than requested, if it does.
    fit
        For a panel, the calibration with which the forecast is stored for runs, or None; for a table, the fit to all
        observations.
    provenance
        Everything needed to reproduce the forecast.
    """

    draws: Mapping[str, xr.DataArray]
    target: Target
    data: Data
    model: str
    weights: Numbers
    chances: tuple[Chance, ...]
    past: tuple[dict[str, Any], ...]
    past_origins: tuple[float, ...]
    dispersion: Record = field(default_factory=dict)
    verdict: str = ""
    disturbance: str = ""
    moved: str = ""
    fit: FittedParameters | Fit | None
    provenance: Record

    def __getitem__(self, name: str) -> xr.DataArray:
        """Draws by name, without ``entity`` for a single series."""
        if name not in self.draws:
            raise UnknownName("nothing called {name!r} was forecast.{suggestion}", name=name, among=self.draws)
        values = self.draws[name]
        return values.isel(entity=0, drop=True) if values.sizes.get("entity") == 1 else values

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.draws)

    def quantile(self, q: float | Sequence[float]) -> xr.Dataset:
        """Quantiles of every series over the draws, as `xarray.Dataset.quantile`."""
        return xr.Dataset({name: self[name] for name in self.draws}).quantile(q, dim="draw", skipna=True)

    @property
    def paths(self) -> xr.DataArray:
        """Draws of relative output, dimensions (draw, region, year)."""
        return self[RELATIVE]

    @property
    def history(self) -> xr.DataArray:
        """Relative output as observed, dimensions (region, year)."""
        return relative_array(self.target.rows, self.target.values, self.target.times)[RELATIVE]

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """English and Chinese name of each region by its code."""
        return names_of(self.target, self.data)

    @property
    def origin(self) -> int:
        """The last year of the data."""
        return self.target.times[-1]

    @property
    def last(self) -> Array:
        """Last observed level of each row, shape (row,)."""
        return last_level(self.target.values)

    @property
    def last_years(self) -> NDArray[np.int64]:
        """Year of the last observed level, shape (region,); the origin if there is none."""
        seen = np.isfinite(self.target.values)[:, ::-1]
        return np.asarray(np.array(self.target.times[::-1])[seen.argmax(axis=1)], dtype=np.int64)

    @property
    def events(self) -> Numbers:
        """Probabilities of events, by their text."""
        return {item.event: item.probability for item in self.chances}

    @property
    def baseline(self) -> Baseline:
        """The draws as the baseline (future without policy) from which `pysd_runner.project` starts."""
        return Baseline(
            paths=self.paths.to_numpy(),
            regions=tuple(map(str, self.paths["region"].to_numpy())),
            years=tuple(map(int, self.paths["year"].to_numpy())),
            origin=self.origin,
            panel=self.target.name,
            panel_sha256=self.data.sha256,
            provenance=dict(self.provenance),
        )

    def bands(self) -> xr.DataArray:
        """Quantiles of relative output over draws, dimensions (level, region, year)."""
        found = np.quantile(self.paths.to_numpy(), LEVELS, axis=0)
        coords = {"level": list(LEVELS), "region": self.paths["region"], "year": self.paths["year"]}
        return xr.DataArray(found, dims=("level", "region", "year"), coords=coords, attrs=dict(self.paths.attrs))

    def table(self) -> pd.DataFrame:
        """Quantiles of the draws, one row per region and year, or per column, entity and time.

        For regions, in per cent of their geometric mean, with the last observed level and its year. For a table, in
        the units of the columns.
        """
        parts = [_lines(values).assign(column=name) for name, values in self.draws.items()]
        found = pd.concat(parts, ignore_index=True)
        return found[["column", *found.columns[:-1]]]

    def to_frame(self) -> pd.DataFrame:
        """Alias of `table`."""
        return self.table()

    @property
    def _pictures(self) -> tuple[str | None, ...]:
        return tuple(self.draws)

    def sentences(self, lang: str = "en") -> tuple[str, ...]:
        """The main results in sentences of a language, ``"en"`` or ``"zh"``."""
        from calibration.forecasting.words import sentences

        return sentences(self, lang)

    def __repr__(self) -> str:
        first = next(iter(self.draws.values()))
        _, row, time = first.dims
        times, unit = first[time].to_numpy(), str(first[time].attrs.get("units", ""))
        span = f"{said_time(times[0])} to {said_time(times[-1], unit)}"
        what = f"{len(self.target.rows)} {row}s, {first.sizes['draw']} draws, {span}"
        return f"<Outlook by {self.model!r} on {self.target.name!r}: {what}>"

    def _repr_html_(self) -> str:
        """The forecast for the last time as a table."""
        from pysd_runner.export.files import one_screen

        frame = self.table()
        time = next(iter(self.draws.values())).dims[2]
        return one_screen(frame[frame[time] == frame[time].max()])

    def plot(self, name: str | None = None, *, ax: Any = None, lang: str = "en") -> Any:
        """Fan chart of a region or column, with the observations; regions in per cent of their geometric mean.

        Parameters
        ----------
        name
            Code or name of a region, or column; None for all regions, with the last year alone if there are more than
            fifty, or for the first column.
        ax
            Axes to draw in, one for each chart; None for a new figure.
        lang
            Language of labels, ``"en"`` or ``"zh"``.

        Returns
        -------
        ReportFigure or Axes
            The axes if they were given.

        Raises
        ------
        UnknownName
            If there is no such region or column.
        """
        from pysd_runner.plots.over_time import plot_fan

        chosen = name or next(iter(self.draws))
        seen: Any = self.data[self.provenance["columns"][chosen]]
        seen = seen.assign_coords(time=self.target.calendar.shown(self.data.times))
        return plot_fan(self._after_fit(chosen).rename(chosen), seen, ax=ax, lang=lang)

    def _after_fit(self, name: str) -> xr.DataArray:
        """Draws of a column after its fitted values, at the times when all entities have one."""
        assert isinstance(self.fit, Fit)  # noqa: S101
        later, frame = self.draws[name], self.fit.residuals.to_frame()
        frame = frame[frame["used"] & (frame["indicator"] == self.provenance["columns"][name])]
        past: xr.DataArray = (
            frame.set_index(["region", "year"])["fitted"].to_xarray().rename(region="entity", year="time")
        )
        past = past.dropna("time").assign_attrs(fitted=True)
        # In a rebuilt fit, years are model times.
        past["time"] = self.target.calendar.shown(past["time"])
        found: xr.DataArray = xr.concat([past, later], "time", join="right", combine_attrs="no_conflicts")
        return found.isel(entity=0, drop=True) if found.sizes["entity"] == 1 else found

    def to_excel(self, path: str | Path) -> Path:
        """Write the quantiles, past scores and weights into an Excel workbook."""
        from pysd_runner.export.files import save_workbook

        weights = pd.DataFrame({"member": list(self.weights), "weight": list(self.weights.values())})
        return save_workbook({"forecast": self.table(), "past": pd.DataFrame(self.past), "weights": weights}, path)

    def save(self, folder: str | Path, *, lang: str = "en") -> Path:
        """Write figures, tables and text in a language, ``"en"`` or ``"zh"``, into a folder."""
        import json

        from pysd_runner.export.files import save_csv, write_text_whole
        from pysd_runner.reports.document import Bullets, Paragraph, Part, ReportDocument, save_document, saved_picture

        folder = Path(folder)
        parts: list[Part] = [Bullets(self.sentences(lang))]
        for name in self._pictures:
            figure = self.plot(name, lang=lang)
            plain = "".join(sign if sign.isalnum() else "_" for sign in name or "").strip("_").casefold() or "forecast"
            parts.append(saved_picture(figure, folder, plain))
        save_csv(self.table(), folder / "table.csv")
        if self.past:
            save_csv(pd.DataFrame(self.past), folder / "past.csv")
        named = texts(lang, "forecaster")
        weights = translate("forecast.list", lang).join(
            f"{named[name]} {weight:.2f}" for name, weight in self.weights.items()
        )
        parts.append(Paragraph(translate("forecast.weights", lang, parts=weights)))
        save_document(
            ReportDocument(title=translate("forecast.title", lang), lang=lang, parts=parts), folder, "forecast"
        )
        record = {"weights": dict(self.weights), "events": self.events, **self.provenance}
        write_text_whole(folder / "forecast.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        return folder


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RelativeOutlook(Outlook):
    """A forecast of the relative output of regions."""

    def table(self) -> pd.DataFrame:
        """Quantiles in per cent of the geometric mean, with the last observed level and its year."""
        found = _lines(self.paths)
        found.iloc[:, 2:] = 100 * np.exp(found.iloc[:, 2:])
        for place, column in enumerate(("name_en", "name_zh"), start=1):
            found.insert(place, column, [self.names[str(code)][place - 1] for code in found["region"]])
        found["last"] = found["region"].map(dict(zip(self.target.rows, 100 * np.exp(self.last), strict=True)))
        found["last_year"] = found["region"].map(dict(zip(self.target.rows, self.last_years, strict=True)))
        return found

    @property
    def _pictures(self) -> tuple[str | None, ...]:
        return (None,)

    def sentences(self, lang: str = "en") -> tuple[str, ...]:
        """One paragraph."""
        from calibration.forecasting.words import paragraph

        return (paragraph(self, lang),)

    def plot(self, name: str | None = None, *, ax: Any = None, lang: str = "en") -> Any:
        """Fan chart of a region, or all regions, in per cent of the geometric mean."""
        from pysd_runner.plots import plot_gaps, plot_tiles

        values, past = map(self._percent, (self.paths, self.history.isel(year=slice(-BEHIND, None))))
        asked: dict[str, Any] = {"origin": self.origin, "includes": ("forecast",), "ax": ax, "lang": lang}
        return plot_tiles(values, past, **asked) if name is None else plot_gaps(values, past, regions=[name], **asked)

    def _percent(self, logs: xr.DataArray) -> xr.DataArray:
        """Per cent of the geometric mean, with names and places of the regions."""
        from pysd_runner.spec.design import REGIONAL
        from pysd_runner.study.labelling import entity_coordinates

        found = logs.copy(data=100 * np.exp(logs.to_numpy())).rename("percent_of_mean").assign_attrs(units="%")
        return found.assign_coords(entity_coordinates(self.data.subset(entities=self.target.rows).regions, REGIONAL))


def names_of(target: Target, panel: Data) -> dict[str, tuple[str, str]]:
    """English and Chinese name of each region by its code, which is used if a name is missing."""
    found = {region.code: region for region in panel.regions}
    return {code: (found[code].name_en or code, found[code].name_zh or code) for code in target.rows}


def _lines(values: xr.DataArray) -> pd.DataFrame:
    """Quantiles over draws, one row per region or entity and time."""
    _, row, time = map(str, values.dims)
    rows, times = values[row].to_numpy(), values[time].to_numpy()
    found = np.quantile(values.to_numpy(), LEVELS, axis=0)
    quantiles = {f"q{100 * level:02.0f}": part.ravel() for level, part in zip(LEVELS, found, strict=True)}
    return pd.DataFrame({row: np.repeat(rows, len(times)), time: np.tile(times, len(rows)), **quantiles})
