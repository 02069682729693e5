"""What a projection of any model gave: outcomes by scenario and draw, beside the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, UnknownName, suggest
from pysd_runner.core.numbers import three_digits
from pysd_runner.engine.ir import key
from pysd_runner.export.records import read_record, write_record
from pysd_runner.export.tables import Tabled
from pysd_runner.panel import Table
from pysd_runner.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from pysd_runner.plots.figure import ReportFigure

Array = NDArray[np.float64]

BASELINE = "baseline"
RECORD, DATA = "future.json", "future.nc"
SCHEMA = 1
LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Future(Tabled):
    """Outcomes of scenarios of any model, made by `project`.

    Attributes
    ----------
    model
        Name of the model.
    data
        Outcome by variable, dimensions (scenario, draw, ranges..., time), with units.
    scenarios
        What was run, the baseline first.
    observed
        Which column of the data observes a variable, by variable.
    history
        The data; None without any.
    better
        ``"higher"`` or ``"lower"`` for outcomes of which somebody said so.
    time_unit
        Unit of the time axis.
    warnings
        What a reader must know.
    provenance
        How it was made.
    """

    model: str
    data: "xr.Dataset"
    scenarios: tuple[Scenario, ...]
    observed: Mapping[str, str] = field(default_factory=dict)
    history: Table | None = None
    better: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = ""
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = list(self.data.data_vars)
        shown = ", ".join(map(str, names[:3])) + (", ..." if len(names) > 3 else "")
        sizes = self.data.sizes
        unit = f" {self.time_unit}" if self.time_unit else ""
        times = self.data["time"].to_numpy()
        return (
            f"<Future of {self.model!r}: {shown}; {', '.join(item.name for item in self.scenarios)}; "
            f"{sizes['draw']} draw{'' if sizes['draw'] == 1 else 's'}, {times[0]:g} to {times[-1]:g}{unit}>"
        )

    def _repr_html_(self) -> str:
        """The outcomes at the end as a table."""
        from pysd_runner.export.tables import one_screen

        return one_screen(self.table())

    def _ipython_key_completions_(self) -> list[str]:
        return [str(name) for name in self.data.data_vars]

    def __getitem__(self, name: str) -> "xr.DataArray":
        """One outcome, dimensions (scenario, draw, ranges..., time)."""
        known = {key(str(item)): str(item) for item in self.data.data_vars}
        if key(name) not in known:
            raise UnknownName(f"the projection did not save {name!r}.{suggest(name, known.values())}")
        return self.data[known[key(name)]]

    def difference(self, name: str, *, against: str = BASELINE) -> "xr.DataArray":
        """An outcome less what it is under another scenario, draw by draw.

        Parameters
        ----------
        name
            The outcome.
        against
            The other scenario.
        """
        values = self[name]
        known = [str(item) for item in values["scenario"].to_numpy()]
        if against not in known:
            raise UnknownName(f"there is no scenario {against!r}.{suggest(against, known)}")
        others = [item for item in known if item != against]
        found = values.sel(scenario=others) - values.sel(scenario=against, drop=True)
        found.attrs, found.name = {**values.attrs, "against": against}, f"{name} less {against}"
        return found

    def table(self, name: str | None = None, *, time: float | None = None) -> "pd.DataFrame":
        """Median and 90 % interval by scenario, and of the difference to the baseline.

        Parameters
        ----------
        name
            One outcome; None takes all that are single numbers.
        time
            When; None takes the end.
        """
        import pandas as pd

        at = float(self.data["time"].to_numpy()[-1]) if time is None else time
        if name is None:
            names = [str(item) for item, values in self.data.data_vars.items() if values.ndim == 3]
            names = names or [str(item) for item in list(self.data.data_vars)[:1]]
        else:
            names = [str(self[name].name)]
        rows = [row for item in names for row in self._rows(item, at)]
        return pd.DataFrame(rows)

    def _rows(self, name: str, at: float) -> list[dict[str, Any]]:
        values = self[name].sel(time=at, method="nearest")
        base = values.sel(scenario=BASELINE)
        rows = []
        others = [dim for dim in values.dims if dim not in ("scenario", "draw")]
        for scenario in values["scenario"].to_numpy():
            stacked = values.sel(scenario=scenario)
            moved = stacked - base
            for place in np.ndindex(*(values.sizes[dim] for dim in others)):
                pick = dict(zip(others, place, strict=True))
                low, median, high = _quantiles(stacked.isel(pick).to_numpy())
                row: dict[str, Any] = {"outcome": name, "scenario": str(scenario), "time": float(values["time"])}
                row |= {str(dim): str(values[dim].to_numpy()[index]) for dim, index in pick.items()}
                row |= {"median": median, "low_90": low, "high_90": high}
                if str(scenario) != BASELINE:
                    low, median, high = _quantiles(moved.isel(pick).to_numpy())
                    row |= {"difference": median, "difference_low_90": low, "difference_high_90": high}
                row["unit"] = values.attrs.get("units", "")
                rows.append(row)
        return rows

    def sentences(self) -> tuple[str, ...]:
        """What every scenario changes at the end, in words; no judgement unless a direction was declared."""
        found = []
        end = float(self.data["time"].to_numpy()[-1])
        names = [item for item in self.observed if item in self.data] or [str(n) for n in list(self.data.data_vars)[:1]]
        for scenario in self.scenarios:
            if scenario.name == BASELINE:
                continue
            for name in names:
                if self[name].ndim != 3:
                    continue
                found.append(self._sentence(scenario, name, end))
        return tuple(found)

    def _sentence(self, scenario: Scenario, name: str, end: float) -> str:
        moved = self.difference(name).sel(scenario=scenario.name).sel(time=end).to_numpy()
        low, median, high = _quantiles(moved)
        unit = self[name].attrs.get("units", "")
        # "4 foxes less foxes" says it twice.
        spelled = "" if unit.casefold() in ("", "dmnl", name.casefold()) else f" {unit}"
        if low == high == 0:
            return (
                f"{scenario.label['en']}: {name} is what it is in the baseline at {end:g} {self.time_unit}".rstrip()
                + "."
            )
        way = "more" if median >= 0 else "less"
        text = f"{scenario.label['en']}: {three_digits(abs(median))}{spelled} {way} {name} than the baseline at {end:g}"
        text += f" {self.time_unit}" if self.time_unit else ""
        if moved.size > 1:
            text += f" (90 % of draws: {three_digits(low, signed=True)} to {three_digits(high, signed=True)})"
        wanted = self.better.get(name, "")
        if wanted:
            share = float(np.nanmean(moved > 0 if wanted == "higher" else moved < 0))
            text += f"; better ({wanted}) in {100 * share:.0f} % of draws"
        return f"{text}."

    def plot(self, name: str | None = None, *, ax: Any = None) -> "ReportFigure | Any":
        """Fans of an outcome under every scenario over the data.

        Parameters
        ----------
        name
            The outcome; None takes the first one that is observed.
        ax
            Where to draw; None makes a figure.
        """
        from pysd_runner.plots.over_time import plot_fan

        names = [str(item) for item in self.data.data_vars]
        chosen = name or next((item for item in self.observed if item in names), names[0])
        values = self[chosen]
        column = self.observed.get(str(values.name), "")
        seen = self.history[column] if self.history is not None and column else None
        return plot_fan(values, seen, ax=ax, time_unit=self.time_unit)

    def to_xarray(self) -> "xr.Dataset":
        """All outcomes as a labelled data set."""
        return self.data

    def to_frame(self) -> "pd.DataFrame":
        """Quantiles over draws as a long table: outcome, scenario, ranges, time, quantiles."""
        import pandas as pd

        parts = []
        for name in self.data.data_vars:
            found = self.data[name].quantile(list(LEVELS), dim="draw", skipna=True)
            part = found.to_series().rename("value").reset_index().assign(outcome=str(name))
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def to_excel(self, path: str | Path) -> Path:
        """Write the quantiles over time and the table at the end into a workbook."""
        from pysd_runner.export.tables import save_workbook

        frame = self.to_frame()
        index = [item for item in frame.columns if item not in ("quantile", "value")]
        wide = frame.pivot_table(index=index, columns="quantile", values="value").reset_index()
        wide.columns = [f"q{item:g}" if isinstance(item, float) else str(item) for item in wide.columns]
        return save_workbook({"end": self.table(), "over time": wide}, path)

    def save(self, folder: str | Path) -> Path:
        """Write the projection into a folder, the record last.

        ``future.nc`` holds every draw, ``end.csv`` the table, ``quantiles.csv`` quantiles over time.
        """
        from pysd_runner.export import save_netcdf
        from pysd_runner.export.tables import save_csv

        folder = Path(folder)
        save_netcdf(self.data, folder / DATA)
        save_csv(self.table(), folder / "end.csv")
        save_csv(self.to_frame(), folder / "quantiles.csv")
        if self.history is not None:
            save_csv(self.history.to_frame(), folder / "observed.csv")
        record = {
            "model": self.model,
            "scenarios": [item.to_dict() for item in self.scenarios],
            "observed": dict(self.observed),
            "better": dict(self.better),
            "time_unit": self.time_unit,
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }
        write_record(folder / RECORD, record, schema=SCHEMA, allow_nan=True)
        return folder


def load_future(folder: str | Path) -> Future:
    """Read a projection that `Future.save` wrote."""
    from pysd_runner.export import load_netcdf
    from pysd_runner.panel.table_reading import load_table

    folder = Path(folder)
    remedy = "run the scenarios again"
    record = read_record(folder / RECORD, schema=SCHEMA, what="record of a projection of a model", remedy=remedy)
    try:
        data = load_netcdf(folder / DATA)
        seen = folder / "observed.csv"
        history = None
        if seen.is_file():
            known = [axis for axis in _header(seen) if axis not in ("time", "column", "value")]
            frame = _renamed(seen)
            history = load_table(frame, time="time", entity=known or None, name="observed")
        scenarios = tuple(Scenario.from_dict(item) for item in record["scenarios"])
        return Future(
            model=record["model"],
            data=data,
            scenarios=scenarios,
            observed=record["observed"],
            history=history,
            better=record["better"],
            time_unit=record["time_unit"],
            warnings=tuple(record["warnings"]),
            provenance=record["provenance"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{folder} holds no projection of a model: {error}; {remedy}") from error


def is_future(folder: Path) -> bool:
    """Whether a folder holds a projection of any model."""
    return (folder / RECORD).is_file()


def _header(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8-sig").splitlines()[0].split(",")


def _renamed(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(path, encoding="utf-8-sig").rename(columns={"column": "variable"})


def _quantiles(values: Array) -> tuple[float, float, float]:
    usable = values[np.isfinite(values)]
    if not usable.size:
        return (float("nan"),) * 3
    low, median, high = np.quantile(usable, LEVELS)
    return float(low), float(median), float(high)


def futures_of(futures: Sequence[Future], name: str) -> "dict[str, xr.DataArray]":
    """One outcome of several projections, for a common figure.

    Parameters
    ----------
    futures
        Of different models, fits or data.
    name
        The outcome.

    Returns
    -------
    dict
        By name of model and scenario.
    """
    found: dict[str, xr.DataArray] = {}
    for future in futures:
        values = future[name]
        for scenario in values["scenario"].to_numpy():
            label = f"{future.model}: {scenario}"
            while label in found:
                label += "'"
            found[label] = values.sel(scenario=scenario)
    return found
