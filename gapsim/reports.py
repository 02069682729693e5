"""Reports on any model or result from a script: evaluation, explorer, and comparison of two models."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.core.errors import InvalidInput
from pysd_runner.study.arguments import AnyFit, AnyModel, loaded, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from calibration.evaluation.judgement import Evaluation
    from pysd_runner.data import Data
    from pysd_runner.data.sources import AnySource
    from pysd_runner.data.update import Update
    from pysd_runner.reports.explorer.page import Explored


def evaluate(
    model: AnyModel,
    data: "Data | AnySource | None" = None,
    fit: Any = None,
    *,
    seed: int = 0,
    quick: bool = False,
    progress: Any = None,
) -> "Evaluation":
    """Apply every test to a model: structure and numerics, and with a fit its residuals and sensitivity.

    Parameters
    ----------
    model, data
        As for `project`.
    fit
        What `fit` returned, or its folder; None for the model by itself.
    seed, quick, progress
        As for `calibration.evaluation.evaluate`.

    Returns
    -------
    Evaluation
        Every test with its verdict, and the tables they are based on.

    Raises
    ------
    InvalidInput
        If the fit belongs to another model or other data.
    """
    from calibration.evaluation import Subject, evaluate as judged
    from calibration.fitting.results import Fit

    known, read = loaded(model, data)
    found = Fit.load(fit) if isinstance(fit, str | Path) else fit
    if not (found is None or isinstance(found, Fit)):
        raise InvalidInput("an evaluation needs what `fit` returned, or its folder; found {found!r}", found=found)
    subject = Subject.of_model(known) if found is None else Subject.of_fit(found, read, model=known)
    return judged(subject, seed=seed, quick=quick, progress=progress)


def explore(  # noqa: PLR0913 - a public entry point
    model: AnyModel,
    data: "Data | AnySource | None" = None,
    fit: AnyFit | None = None,
    *,
    out: str | Path = "explorer.html",
    until: float | None = None,
    draws: int = 32,
    seed: int = 0,
    lang: str = "en",
    force: bool = False,
) -> Path:
    """Write one HTML page that runs the model: sliders, uncertainty, and no policy on the same draws beside it.

    Parameters
    ----------
    model, data, fit, until, draws, seed
        As for `project`.
    out
        File to write.
    lang
        Language in which the page opens.
    force
        Whether an earlier file is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidInput
        If there is a file already and `force` is false, or the model has no stock to draw.
    """
    from pysd_runner.export.files import write_text_whole
    from pysd_runner.reports.explorer.page import constants_explored, page_of
    from pysd_runner.reports.explorer.policies import policies_explored
    from pysd_runner.reports.folders import check_file, save_whole
    from pysd_runner.study.inputs import inputs_of

    path = Path(out)
    check_file(path, ".html", replace=force, inputs=[])
    known, read = loaded(model, data)
    asked: dict[str, Any] = {"until": until, "draws": draws, "seed": seed}
    pages: dict[str, Callable[..., Explored]] = {
        "policies": lambda *given: policies_explored(inputs_of(*given, **asked)),
        "constants": partial(constants_explored, **asked),
    }
    explored = pages[known.design.given(read).page](known, read, parameters_of(fit))
    save_whole(path, ".html", lambda file: write_text_whole(file, page_of(explored, lang=lang)), replace=force)
    return path


def update(data: "Data | AnySource", new: "Data | AnySource") -> "Update":
    """Update a panel with new figures, which replace those of the panel.

    Parameters
    ----------
    data
        The panel.
    new
        New figures for it: a year, revised years or further columns. Numbers without a unit have that of the panel.

    Returns
    -------
    Update
        The panel, and what was revised.

    Raises
    ------
    InvalidPanel
        If the figures are in another unit, currency or price basis, leave a year out, or hold nothing new.
    InvalidInput
        If the data are no panel of regions.
    """
    from pysd_runner.data import Data, load_data
    from pysd_runner.data.update import check_panel, updated

    before = load_data(data)
    check_panel(before)
    fresh = new if isinstance(new, Data) else load_data(new, panel=before)
    return updated(before, fresh, sources=(before.name, fresh.name))


def compare(first: AnyModel, second: AnyModel, *, data: "Data | AnySource | None" = None) -> "pd.DataFrame":
    """Run two models, or two versions of one, with the settings of their files, and compare each variable.

    Parameters
    ----------
    first, second
        As for `project`.
    data
        Data that size models of regions; other runs do not depend on it.

    Returns
    -------
    pandas.DataFrame
        For each variable or element: value at the last common time in both, largest difference over time, its time.

    Raises
    ------
    InvalidInput
        If the runs have no time or variable in common.
    """
    import pandas as pd

    from pysd_runner.simulation import simulate

    one, two = (simulate(loaded(item, data)[0]).table() for item in (first, second))
    times, names = one.index.intersection(two.index), [name for name in one.columns if name in two.columns]
    if not len(times) or not names:
        raise InvalidInput("the two runs have no time or no variable in common")
    before, after = one.loc[times, names], two.loc[times, names]
    apart = (after - before).abs().fillna(0.0)
    return pd.DataFrame(
        {
            "first": before.iloc[-1],
            "second": after.iloc[-1],
            "largest_difference": apart.max(),
            "at": apart.idxmax().where(apart.max() > 0, np.nan),
        }
    ).rename_axis("variable")
