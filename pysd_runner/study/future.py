"""Results of a projection: outcomes by scenario and draw, with the observed history."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.calendar import said_time
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.numbers import three_digits
from pysd_runner.core.types import Record, Texts
from pysd_runner.data import Data
from pysd_runner.engine.ir import key
from pysd_runner.export import save_netcdf
from pysd_runner.export.files import Tabled, save_csv
from pysd_runner.export.records import file_digest, write_record
from pysd_runner.scenarios import Scenario
from pysd_runner.spec.design import PLAIN, StudyDesign
from pysd_runner.study.labelling import COMPARED, OBSERVED, OUTCOMES, PARAMETERS, RECORD, SCHEMA, unknown
from pysd_runner.study.showing import (
    LEVELS,
    answer_of,
    chosen,
    moments,
    quantiles,
    quantity_in,
    region_code,
    table,
)
from pysd_runner.text import translate

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def _label(item: object) -> str:
    """Label as text for comparison, numbers to twelve digits without trailing zeros."""
    return f"{item:.12g}" if isinstance(item, int | float | np.number) else str(item)


# Maximum number of scenario names in the representation.
_MAX_NAMES = 4


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Future(Tabled):
    """Outcomes of several scenarios on the same draws, made by `project`.

    Attributes
    ----------
    data
        Outcomes by name, dimensions (scenario, draw, ranges..., and `axis`), with units.
    baselines
        Baseline of each scenario: no policy under the same assumptions.
    history
        Indicators of what was observed of regions in whose state runs start, dimensions (region, year) or (year,).
    cast
        Scenarios that were run, baselines first.
    model
        Name of the model.
    origin
        Time at which every path starts; for regions the last observed year.
    observations
        Data whose columns observe outcomes; None if there are none.
    observed
        Column of `observations` that observes a variable, by variable.
    parameters
        Parameter draws, dimensions (parameter, draw); None if they were not kept.
    better
        ``"higher"`` or ``"lower"`` for outcomes with a declared direction.
    time_unit
        Unit of the time axis.
    imputed
        Initial values that were not observed at the origin, and how they were imputed.
    warnings
        Caveats that a reader needs before quoting a number.
    provenance
        Everything needed to reproduce the projection.
    design
        What is shown first, and along which axes.
    compared
        Effects in the last year of all policies that were ranked, not of those projected alone, in hundredths as
        integers: dimensions (scenario, draw) for the nation and (scenario, draw, region) for regions and their classes;
        None if none were ranked.
    delta
        Difference of mean effects within which policies are as good as one another; None for the default of `select`.
    """

    data: "xr.Dataset"
    baselines: Texts
    history: "xr.Dataset"
    cast: tuple[Scenario, ...] = ()
    model: str = ""
    origin: int = 0
    observations: Data | None = None
    observed: Texts = field(default_factory=dict)
    parameters: "xr.DataArray | None" = None
    better: Texts = field(default_factory=dict)
    time_unit: str = "year"
    imputed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    provenance: Record = field(default_factory=dict)
    design: StudyDesign = PLAIN
    compared: "xr.Dataset | None" = None
    delta: float | None = None

    @property
    def axis(self) -> str:
        """Name of the time dimension."""
        return self.design.time

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios, baselines first."""
        return tuple(str(name) for name in self.data["scenario"].to_numpy())

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the scenarios that are not themselves baselines."""
        return tuple(name for name in self.scenarios if self.baselines[name] != name)

    @property
    def outcomes(self) -> list[str]:
        """Names of the outcomes."""
        return [str(name) for name in self.data.data_vars]

    def sel(self, **places: Any) -> "xr.Dataset":
        """Outcomes at labels of their dimensions, as `xarray.Dataset.sel`; regions also by name.

        Parameters
        ----------
        **places
            Label, or list of labels, by dimension: ``future.sel(region="Sichuan", scenario="baseline")``.

        Returns
        -------
        xarray.Dataset
            The selected outcomes.

        Raises
        ------
        UnknownName
            If there is no such dimension or label.
        """
        found = self.data
        for dim, wanted in places.items():
            if dim not in found.dims:
                raise UnknownName("results have no dimension {dim!r}.{suggestion}", dim=dim, among=map(str, found.dims))
            labels = [_label(item) for item in found[dim].to_numpy()]
            codes = {**self._codes, **{item: item for item in labels}} if dim == "region" else {}
            several = wanted if isinstance(wanted, list | tuple) else [wanted]
            chosen = [codes.get(str(item), _label(item)) for item in several]
            if wrong := [item for item in chosen if item not in labels]:
                raise UnknownName(
                    "results have no {dim} {label!r}.{suggestion}", dim=dim, label=wrong[0], among=[*codes, *labels]
                )
            places_of = [labels.index(item) for item in chosen]
            found = found.isel({dim: places_of if isinstance(wanted, list | tuple) else places_of[0]})
        return found

    @property
    def _codes(self) -> dict[str, str]:
        """Codes of regions by their names."""
        if "region" not in self.data.coords:
            return {}
        names = (self.data[item].to_numpy() for item in ("name_en", "name_zh"))
        codes = self.data["region"].to_numpy()
        return {str(name): str(code) for column in names for name, code in zip(column, codes, strict=True)}

    def quantile(self, q: float | Sequence[float]) -> "xr.Dataset":
        """Quantiles of every outcome over the draws, as `xarray.Dataset.quantile`."""
        return self.data.quantile(q, dim="draw", skipna=True)

    @property
    def gaps(self) -> "xr.DataArray":
        """Gap to the leading region, dimensions (scenario, draw, region, year)."""
        return self.data["gap_to_leader"]

    def __repr__(self) -> str:
        sizes, names = self.data.sizes, self.scenarios
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        shown = ", ".join(names[:_MAX_NAMES]) + more
        counts = [f"{sizes[dim]} {dim}{'' if sizes[dim] == 1 else 's'}" for dim in ("region", "draw") if dim in sizes]
        first, last = self.data[self.axis].to_numpy()[[0, -1]]
        return f"<Future: {shown}; {', '.join(counts)}, {said_time(first)} to {said_time(last, self.time_unit)}>"

    def _ipython_key_completions_(self) -> list[str]:
        return [str(name) for name in self.data.data_vars]

    def __getitem__(self, name: str) -> "xr.DataArray":
        """One outcome, dimensions (scenario, draw, ranges..., time)."""
        known = {key(str(item)): str(item) for item in self.data.data_vars}
        if key(name) not in known:
            raise UnknownName(unknown(self.data, name, self.design))
        return self.data[known[key(name)]]

    def difference(self, outcome: str, *, against: str | None = None) -> "xr.DataArray":
        """Difference of an outcome from its value under another scenario, draw by draw.

        Parameters
        ----------
        outcome
            Name of the outcome.
        against
            The other scenario; None for the baseline of each scenario.

        Raises
        ------
        UnknownName
            If there is no such outcome or scenario.
        """
        values = self[outcome]
        if against is not None and against not in self.scenarios:
            raise UnknownName("there is no scenario {against!r}.{suggestion}", against=against, among=self.scenarios)
        others = list(self.policies) if against is None else [name for name in self.scenarios if name != against]
        found = values.sel(scenario=others)
        reference = values.sel(scenario=[against or self.baselines[name] for name in others])
        result = found - reference.to_numpy()
        result.attrs = dict(found.attrs)
        same = set(reference["scenario"].to_numpy().tolist())
        for other in same if len(same) == 1 else ():
            result.attrs, result.name = {**found.attrs, "against": other}, f"{outcome} less {other}"
        return result

    def table(
        self,
        outcome: str | None = None,
        *,
        region: str | Sequence[str] | None = None,
        year: int | Sequence[int] | None = None,
        time: float | str | None = None,
    ) -> "pd.DataFrame":
        """Median and 90 % interval by scenario, of levels and of differences from the baseline in the same draw.

        Parameters
        ----------
        outcome
            One outcome; None for those that are shown first, or else all with one value at each time.
        region
            Regions by code or name; None for the nation, or for all regions of a regional outcome.
        year
            One or several saved times; None for the last.
        time
            The saved time nearest to it is shown, unless `year` is given.

        Returns
        -------
        pandas.DataFrame
            One row per outcome, scenario, time and region or element.

        Raises
        ------
        UnknownName
            If there is no such outcome or region.
        InvalidInput
            If there is no such year.
        """
        shown = chosen(self.data, self.design, outcome, region, {*self.observed, *self.better})
        return table(self.data, self.baselines, shown, moments(self.data, self.design, year, time), self.axis)

    def sentences(self, lang: str = "en") -> tuple[str, ...]:
        """Describe in words the change by each scenario at the end; it is judged only if a direction was declared.

        Parameters
        ----------
        lang
            ``"en"`` or ``"zh"``.

        Returns
        -------
        tuple of str
            A sentence for each scenario and observed outcome.
        """
        names = [item for item in self.observed if item in self.data] or [self.leading]
        return tuple(
            self._sentence(item, name, lang) for item in self.policies for name in names if self[name].ndim == 3
        )

    def _sentence(self, scenario: str, name: str, lang: str) -> str:
        end = self.data[self.axis].to_numpy()[-1]
        quantity = quantity_in(self, name, lang)
        moved = quantity.scale * self.difference(name).sel({"scenario": scenario, self.axis: end}).to_numpy()
        low, median, high = quantiles(moved)
        about = {"label": self.label(scenario, lang), "name": quantity.inline, "when": said_time(end, self.time_unit)}
        if low == high == 0:
            return translate("own.unmoved", lang, **about)
        # Leave out a unit that repeats the name, as in "4 foxes less foxes".
        unit = quantity.short_unit
        size = three_digits(abs(median)) + ("" if unit.casefold() in ("", "dmnl", name.casefold()) else f" {unit}")
        ends = {"low": three_digits(low, signed=True), "high": three_digits(high, signed=True)}
        doubt = translate("own.range", lang, **ends) if moved.size > 1 else ""
        if wanted := "lower" if quantity.lower_is_better else self.better.get(name, ""):
            share = float(np.nanmean(moved > 0 if wanted == "higher" else moved < 0))
            doubt += translate(f"own.better {wanted}", lang, share=f"{100 * share:.0f}")
        return translate("own.moved more" if median >= 0 else "own.moved less", lang, **about, size=size, doubt=doubt)

    def label(self, scenario: str, lang: str) -> str:
        """Printed name of a scenario."""
        from pysd_runner.plots.arrays import label_of

        known = {item.name: item.label.get(lang, item.name) for item in self.cast}
        return known[scenario] if scenario in known else label_of(self[self.leading], "scenario", scenario, lang)

    @property
    def leading(self) -> str:
        """Name of the outcome that is shown first: the declared one, else the first observed, else the first."""
        names = [str(item) for item in self.data.data_vars]
        return next((item for item in (*self.design.leading, *self.observed) if item in names), names[0])

    def answer(self, lang: str = "en") -> tuple[str, ...]:
        """At most three sentences on the first outcome at the end: without and with a scenario, and how certain it is.

        Of several scenarios those to choose are named, as `select` finds them, if a direction was declared, else the
        one that changes it most. Results of `gapsim run` or `demo`, in which policies are ranked, keep the answer that
        their pages open with.

        Parameters
        ----------
        lang
            ``"en"`` or ``"zh"``.
        """
        kept = self.provenance.get("answer")
        return answer_of(self, lang) if kept is None else tuple(kept[lang])

    def seen_of(self, name: str) -> "pd.Series[float] | pd.DataFrame | None":
        """Observations of an outcome by time."""
        past = self.history.get(name)
        if past is not None and past.ndim == 1:
            return past.to_series().dropna()
        column = self.observed.get(name, "")
        return self.observations.by_time(column) if self.observations is not None and column else None

    def plot(
        self,
        outcome: str | None = None,
        *,
        region: str | None = None,
        difference: bool = False,
        lang: str = "en",
        ax: Any = None,
    ) -> Any:
        """Plot fan charts of an outcome under every scenario, with the observations.

        Parameters
        ----------
        outcome
            None for the outcome that is shown first.
        region
            Code or name of a region; required for a regional outcome.
        difference
            Whether to plot the differences of the scenarios from their baseline.
        lang
            Language of labels.
        ax
            Axes to draw on; None makes a figure.

        Returns
        -------
        ReportFigure or Axes
            The axes if some were given.
        """
        from pysd_runner.plots.over_time import plot_fan
        from pysd_runner.plots.style import figure_of, usable_language

        first = self.leading if region is None else None
        values = self._at(chosen(self.data, self.design, outcome or first, region)[0], region)
        name = str(values.name)
        # `plot_fan` expects a time axis called "time".
        axis = {self.axis: "time"}
        if difference:
            moved = self._at(self.difference(name), region).rename(axis)

            def changes(lang: str) -> Any:
                title = translate("own.difference", usable_language(lang), outcome=name)
                return plot_fan(moved, ax=ax, title=title, time_unit=self.time_unit, lang=lang)

            return figure_of(changes)(lang)
        past = self.history.get(name)
        seen = self.seen_of(name) if past is None else self._at(past, region).to_series().dropna()
        return plot_fan(values.rename(axis), seen, ax=ax, time_unit=self.time_unit, lang=lang)

    def _at(self, values: "xr.DataArray", region: str | None) -> "xr.DataArray":
        """An outcome, or its observations, in one region; outcomes without regions are unchanged."""
        for axis in {self.design.entity} & set(values.dims):
            if region is None:
                raise InvalidInput(
                    "{name} has regions; name one, as in plot({values!r}, region=...)",
                    name=values.name,
                    values=str(values.name),
                )
            values = values.sel({axis: region_code(self.data, region)}, drop=True)
        return values

    def to_excel(self, path: str | Path) -> Path:
        """Write an Excel workbook: outcomes over time for regions, otherwise at the end, and all quantiles."""
        from pysd_runner.export.files import save_workbook

        times = list(self.data[self.axis].to_numpy())
        sheets = {"over time": self.table(year=times)} | self._tables()
        for axis in {self.design.entity} & set(self.data.dims):
            sheets[f"{axis}s"] = self.table(region=self.data[axis].to_numpy().tolist(), year=times)
        return save_workbook(sheets, path)

    def _tables(self) -> "dict[str, pd.DataFrame]":
        """Further tables of a workbook, by name."""
        made = {"end": self.table, "quantiles": self._quantiles}
        return {name: made[name]() for name in self.design.tables}

    def _quantiles(self) -> "pd.DataFrame":
        """Quantiles over draws of all outcomes, as a long table."""
        import pandas as pd

        parts = []
        for name in self.data.data_vars:
            known = self.data[name].dropna(self.axis, how="all")
            some = bool(known.size)
            found = (known if some else self.data[name]).quantile(list(LEVELS), dim="draw", skipna=some)
            parts.append(found.to_series().rename("value").reset_index().assign(outcome=str(name)))
        return pd.concat(parts, ignore_index=True)

    def to_xarray(self) -> "xr.Dataset":
        """All outcomes as one labelled data set, with their provenance as attributes."""
        provenance = json.dumps(self.provenance, ensure_ascii=False)
        return self.data.assign_attrs({"origin": self.origin, "provenance": provenance})

    def to_frame(self) -> "pd.DataFrame":
        """All outcomes as a long table, one row for each scenario, draw, time and element."""
        from pysd_runner.export import to_long_frame

        return to_long_frame(self.data.rename({self.axis: "year"})).rename(columns={"year": self.axis})

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write data, tables and a record, which `load_future` reads; each file is written atomically.

        Outcomes of regions are rounded to a relative error of 1e-5, far below the differences between draws.

        Parameters
        ----------
        folder
            The folder; it is made if there is none.
        force
            Whether data, tables and record of earlier results there are replaced; their pages and figures stay.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InvalidInput
            If the folder holds earlier results, and `force` is false.
        """
        folder = Path(folder)
        if not force and (folder / RECORD).exists():
            raise InvalidInput(
                "{path} holds earlier results; give another folder, or replace them with force=True", path=folder
            )
        folder.mkdir(parents=True, exist_ok=True)
        files = [
            save_netcdf(self.data, folder / OUTCOMES, relative_error=self.design.rounding),
            save_netcdf(self.history, folder / "history.nc"),
        ]
        if self.parameters is not None:
            files.append(save_netcdf(self.parameters.to_dataset(name=PARAMETERS), folder / f"{PARAMETERS}.nc"))
        if self.compared is not None:
            files.append(save_netcdf(self.compared, folder / COMPARED))
        files += [save_csv(found, folder / f"{name}.csv") for name, found in self._tables().items()]
        if self.observations is not None:
            seen = self.observations.to_frame().dropna(subset="value").rename(columns={"variable": "column"})
            order = ["time", *self.observations.entities, "column", "value"]
            files.append(save_csv(seen[order].reset_index(drop=True), folder / OBSERVED))
        record = {
            "model": self.model,
            "origin": self.origin,
            "baselines": dict(self.baselines),
            "observed": dict(self.observed),
            "better": dict(self.better),
            "time_unit": self.time_unit,
            "imputed": list(self.imputed),
            "warnings": list(self.warnings),
            "design": self.design.record,
            "delta": self.delta,
            "files": {path.name: file_digest(path) for path in files},
            **self.provenance,
        }
        write_record(folder / RECORD, record, schema=SCHEMA, allow_nan=True, indent=2)
        return folder
