"""``gapsim simulate``: run any model once."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import Force, Sets
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.reports.folders import check_file, save_whole
from pysd_runner.text import translate

if TYPE_CHECKING:  # slow imports (numpy)
    from pysd_runner.model import Model
    from pysd_runner.simulation import Run

# Maximum number of series, and number of times, shown on the screen.
MOST_ROWS, MOMENTS = 20, 5


@command(
    "simulate",
    "gapsim simulate mine.mdl",
    'gapsim simulate mine.stmx --set "contact rate=0.3" --set "FINAL TIME=50" --plot --out run.csv',
)
def run_once(
    session: Session,
    model: Annotated[str, typer.Argument(help="Vensim or XMILE file, or the name of a shipped model.")],
    *,
    changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Value that replaces that of the file, also of one element, contact rate[young], or of a control, "
            "FINAL TIME; repeatable.",
        ),
    ] = None,
    outcome: Annotated[
        list[str] | None, typer.Option("--outcome", metavar="NAME", help="Variable to show; repeatable [default: all].")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw what is shown, beside --out or to MODEL.png.")] = False,
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV file for every series at every saved moment, a column each.")
    ] = None,
    force: Force = False,
) -> int:
    """Run any model once and show how it goes: stocks first, at five moments.

    What stops a file from running is said with its line; `gapsim doctor FILE` says more about it.
    """
    picture = (Path(Path(model).name) if out is None else out).with_suffix(".png") if plot else None
    for path, ending in ((out, ".csv"), (picture, ".png")):
        if path is not None:
            check_file(path, ending, replace=force, inputs=(model,))
    from pysd_runner.model import load_model
    from pysd_runner.simulation import simulate

    loaded = load_model(model, data=sets or ())
    with session.stage(Message("Running {model}", model=loaded.name)):
        run = simulate(loaded, _values(loaded, changed or []), outcomes=outcome, throw=False)
    table, units = _table(loaded, run)
    shown = list(table)[:MOST_ROWS]
    _tell(session, run, table, units, shown)
    if out is not None:
        save_whole(out, ".csv", lambda path: _save(table, run, path), replace=force)
        session.say(Message("{count} series at {size} moments: {out}", count=len(table), size=run.years.size, out=out))
    if picture is not None:
        save_whole(picture, ".png", lambda path: _draw(table, units, shown, run, path), replace=force)
        session.say(Message("picture: {picture}", picture=picture))
    if run.failed.any():
        session.warn(run.failures[0].message if run.failures else Message("the run gave values that are not finite"))
        return SimulationFailed.exit_code
    return 0


def _values(model: "Model", items: Sequence[str]) -> dict[str, Any]:
    """Values by variable; single elements are set in a copy of the array in the file."""
    from pysd_runner.simulation.run import constant_values, located

    values: dict[str, Any] = {}
    places: set[tuple[str, Any]] = set()
    for item in items:
        name, number = _assignment(item)
        variable, position = located(model, name)
        if places & {(variable, None), (variable, position)} or (position is None and variable in values):
            raise InvalidInput(
                "--set gives {name!r} twice; give the whole of {variable!r}, or each element once",
                name=name,
                variable=variable,
            )
        places.add((variable, position))
        if position is None:
            values[variable] = number
            continue
        if model.ir.variables[variable].kind != "constant":
            raise InvalidInput(
                "{variable!r} has an equation, so that no element of it can be set; set all of it", variable=variable
            )
        array = values.setdefault(variable, constant_values(model, variable).copy())
        array[position] = number
    return values


def _assignment(text: str) -> tuple[str, float]:
    """Parse a name and its number; names may contain an equals sign."""
    name, sign, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not sign or not name.strip() or not math.isfinite(number):
        raise InvalidInput(
            "--set {text!r}: expected NAME=VALUE with a number, for instance 'contact rate=0.3'", text=text
        )
    return name.strip(), number


def _table(model: "Model", run: "Run") -> tuple[dict[str, Any], dict[str, str]]:
    """Values and units of all series by label, stocks first and constants last."""
    import numpy as np

    from pysd_runner.simulation.run import element_name

    order = {"stock": 0, "constant": 2}
    names = sorted(run.data, key=lambda name: order.get(model.ir.variables[name].kind, 1))
    table, units = {}, {}
    for name in names:
        values = run.data[name][0, 0]
        for place in np.ndindex(values.shape[:-1]):
            label = element_name(model.ir, name, place)
            table[label], units[label] = values[place], run.units[name]
    return table, units


def _tell(
    session: Session, run: "Run", table: Mapping[str, Any], units: Mapping[str, str], shown: Sequence[str]
) -> None:
    import numpy as np

    from pysd_runner.reports.document import aligned

    made = run.provenance
    session.data = {
        **{name: made[name] for name in ("model", "model_sha256", "start", "stop", "step", "method")},
        "time_unit": run.time_unit,
        "times": run.years.tolist(),
        "series": {label: values.tolist() for label, values in table.items()},
        "units": dict(units),
        "failed": bool(run.failed.any()),
    }
    unit = f" {run.time_unit}" if run.time_unit else ""
    session.say(
        Message(
            "{model}: {start:g} to {stop:g}{unit} in steps of {step:g}, {method}; {count} variables",
            model=made["model"],
            start=made["start"],
            stop=made["stop"],
            unit=unit,
            step=made["step"],
            method=made["method"],
            count=len(run.data),
        )
    )
    if leave := made.get("inflows_leave_in"):
        session.say(_RULES[leave])
    at = np.unique(np.linspace(0, run.years.size - 1, MOMENTS).round().astype(int))
    rows = [["", translate("fit_report.unit", session.lang), *(f"{run.years[place]:g}" for place in at)]]
    rows += [[label, units[label], *(f"{table[label][place]:.5g}" for place in at)] for label in shown]
    for line in aligned(rows, words={0, 1}):
        session.say(line)
    if len(table) > len(shown):
        session.say(
            Message(
                "and {more} series more: choose with --outcome, or write all with --out FILE.csv",
                more=len(table) - len(shown),
            )
        )


# Notes of a run on the rule for the outflows of its non-negative stocks.
_RULES = {
    "same step": Message("non-negative stocks as in Stella: what flows in during a step leaves in the same"),
    "next step": Message("non-negative stocks as specified for XMILE: what flows in during a step leaves in the next"),
}


def _save(table: Mapping[str, Any], run: "Run", path: Path) -> None:
    import pandas as pd

    from pysd_runner.export import save_csv

    save_csv(pd.DataFrame({f"time [{run.time_unit}]" if run.time_unit else "time": run.years, **table}), path)


def _draw(table: Mapping[str, Any], units: Mapping[str, str], shown: Sequence[str], run: "Run", path: Path) -> None:
    import pandas as pd

    from pysd_runner.plots.figure import save_png
    from pysd_runner.plots.over_time import plot_series

    frame = pd.DataFrame({label: table[label] for label in shown}, index=run.years)
    save_png(plot_series(frame, units, title=str(run.provenance["model"]), time_unit=run.time_unit), path)
