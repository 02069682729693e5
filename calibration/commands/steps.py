"""Steps shared by several commands: fit, assess, sample and draw, and report failed diagnostics."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.data_options import names_of
from pysd_runner.cli.options import Seed, StoreFolder, Workers
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import CalibrationFailed, InvalidInput, Message

if TYPE_CHECKING:  # slow imports (numpy)
    from calibration.fitting.problem import Problem
    from calibration.fitting.results import Fit
    from pysd_runner.core.parallel import Pool
    from pysd_runner.data import Data
    from pysd_runner.model import Model
    from pysd_runner.spec import FittedParameters

FIT = "fit"
STARTS = 4

Starts = Annotated[int, typer.Option("--starts", min=1, help="Number of searches from different points.")]


def freed(data: "Data", model: "Model | None", asked: Any) -> "Data | Problem":
    """The data; or, if parameters to estimate were named, the problem of the model and the data."""
    from calibration.fitting.problem import Problem

    if model is None or not asked.free:
        return data
    return Problem(model, data, free=names_of(asked.free), seed=asked.seed)


@dataclass(frozen=True, kw_only=True)
class Search:
    """Options for the search of a calibration; the fields are arguments of `calibration.fitting.fit.fit`."""

    starts: Starts = STARTS
    seed: Seed = 0
    optimiser: Annotated[
        str | None,
        typer.Option(
            "--optimiser",
            metavar="NAME",
            help="Search: least_squares or cma [default: least_squares, or cma where the model jumps].",
        ),
    ] = None
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.001, help="Time budget of the calibration [default: none].")
    ] = None
    workers: Workers = None
    store: StoreFolder = None

    def check(self) -> None:
        """Reject an unknown optimiser before anything is read."""
        from calibration.optimisers import optimiser_named

        if self.optimiser is not None:
            optimiser_named(self.optimiser)

    def pool(self, items: int) -> "AbstractContextManager[Pool]":
        """Open workers for a number of items."""
        from pysd_runner.core.parallel import open_pool

        return open_pool("threads" if self.workers else None, self.workers, items=items)

    def tell(self, session: Session) -> None:
        """Register where finished stages are stored, for the message after an interruption."""
        if self.store is not None:
            session.kept.append(
                Message("Finished parts are kept in {store}; the same command goes on from there.", store=self.store)
            )

    def part(self, name: str) -> Path | None:
        """Folder of the checkpoint of one stage of the work; None if nothing is stored."""
        return None if self.store is None else self.store / name

    def run(self, problem: "Problem", progress: Callable[[str, int, int], None]) -> "Fit":
        """Fit a problem."""
        from calibration.fitting.fit import fit

        with self.pool(self.starts) as pool:
            return fit(
                problem,
                starts=self.starts,
                seed=self.seed,
                optimiser=self.optimiser,
                seconds=self.seconds,
                executor=pool.executor,
                checkpoint=self.store,
                progress=progress,
            )


def fitted(session: Session, problem: "Problem", search: Search) -> "Fit":
    """Fit a problem, and show the progress."""
    with session.stage(Message("Calibrating")) as stage:
        return search.run(problem, stage.at)


def alternatives(
    session: Session,
    problem: "Problem",
    search: Search,
    folder: Path,
    remade: "Callable[..., Problem]",
    *,
    sample: int | None,
) -> "dict[str, Fit]":
    """Fit under each alternative definition of a measurement, and save each fit in its own folder."""
    found = {}
    for definitions in problem.alternatives:
        name = next(iter(definitions.values()))
        other = remade(observations={key: {"national": series} for key, series in definitions.items()})
        session.note(Message("Once more with {name}", name=name))
        kept = search if search.store is None else replace(search, store=search.store / name)
        made = fitted(session, other, kept)
        made.save(folder / name)
        made = drawn(session, other, made, folder / name, kept, draws=sample)
        made.save(folder / name)
        found[name] = made
    return found


def judged(
    session: Session,
    problem: "Problem",
    found: "Fit",
    folder: Path,
    search: Search,
    *,
    profiles: bool = True,
) -> "Fit":
    """Add a verdict on the identifiability of every parameter to the fit, and save the underlying tables."""
    from calibration.uncertainty import identify
    from pysd_runner.export.files import save_csv

    if not len(problem.space) or problem.is_general:
        return found
    with (
        session.stage(Message("Asking what is data and what is prior")) as stage,
        search.pool(len(problem.space)) as pool,
    ):
        verdicts = identify(
            problem,
            found,
            profiles=profiles,
            executor=pool.executor,
            checkpoint=search.part("profiles"),
            progress=lambda done, count: stage.at(Message("profiling"), done, count),
        )
    save_csv(verdicts.table(), folder / "identifiability.csv")
    if profiles:
        save_csv(verdicts.curves(), folder / "profiles.csv")
    return verdicts.attached(found)


def sampled(session: Session, problem: "Problem", found: "Fit", folder: Path, search: Search, *, draws: int) -> "Fit":
    """Add posterior draws to the fit; warn if the sample has not converged."""
    from calibration.uncertainty import sample
    from pysd_runner.export.files import save_csv

    with session.stage(Message("Sampling the posterior")) as stage:
        made = sample(
            problem,
            found,
            draws,
            seed=search.seed,
            checkpoint=search.part("sample"),
            progress=lambda _, done, count: stage.at(Message("steps of every walker"), done, count),
        )
    save_csv(made.table(), folder / "posterior.csv")
    finding = made.convergence.finding()
    if finding is not None:
        session.warn(finding.message)
    return made.attached(found)


def drawn(
    session: Session, problem: "Problem", found: "Fit", folder: Path, search: Search, *, draws: int | None
) -> "Fit":
    """Add draws of the posterior to the fit: as many of the sampler as were asked for, else those of `Posterior`."""
    from calibration.uncertainty.drawing import Posterior

    if draws is not None:
        return sampled(session, problem, found, folder, search, draws=draws)
    with session.stage(Message("Drawing from the posterior")) as stage:
        steps = Message("steps of every walker")
        return Posterior(found, lambda _, done, count: stage.at(steps, done, count))(found)


def draw(
    session: Session,
    problem: "Problem",
    found: "Fit",
    folder: Path,
    *,
    only: Sequence[str] | None = None,
) -> None:
    """Draw the figures of the fit, and write its report."""
    with session.stage(Message("Drawing the fit and writing its report")):
        _DRAWN[problem.design.target](problem, found, folder, session.lang, only)


def _draw_columns(problem: "Problem", found: "Fit", folder: Path, lang: str, _only: Sequence[str] | None) -> None:
    from calibration.reporting.report import write_table_report

    write_table_report(found, folder, description=problem.describe(), lang=lang)


def _draw_relative_output(
    problem: "Problem", found: "Fit", folder: Path, lang: str, only: Sequence[str] | None
) -> None:
    from calibration.reporting import draw_fit, plot_predictive, write_report
    from calibration.uncertainty import predictive_checks
    from pysd_runner.plots import save_figure

    sentences = {}
    figures = list(draw_fit(found, lang=lang, only=only))
    if len(problem.space):
        checks = predictive_checks(problem, found)
        figures.append(("predictive", plot_predictive(found, checks, lang=lang)))
    for name, figure in figures:
        save_figure(figure, folder / "figures", name)
        sentences[name] = figure.sentence
    write_report(found, folder, figures=sentences, panel=problem.data, lang=lang)


_DRAWN = {"relative_output": _draw_relative_output, "columns": _draw_columns}


def data_of(found: "Fit") -> dict[str, Any]:
    """Results of the fit, for the JSON object."""
    return {
        "status": found.fitted.status,
        "message": found.verdict,
        **dict.fromkeys(("data", "panel"), found.fitted.panel),
        **dict.fromkeys(("start", "first_year"), found.fitted.first_year),
        **dict.fromkeys(("stop", "last_year"), found.fitted.last_year),
        "parameters": found.table().to_dict("records"),
        "held_out": [asdict(item) for item in found.holdout],
        "diagnostics_failed": [str(item) for item in found.check()],
        "optima": [asdict(item) for item in found.optima],
        "seconds": found.seconds,
    }


def refuse_failed(found: "Fit", folder: Path) -> None:
    """Raise `CalibrationFailed` if a diagnostic failed."""
    failed = found.check()
    if failed:
        lines = "\n  ".join(item.message for item in failed)
        raise CalibrationFailed(
            "the diagnostics of the calibration failed; look at the result in {folder} before you use it:\n  {lines}",
            folder=folder,
            lines=lines,
        )


def panel_of(fitted: "FittedParameters") -> str:
    """Name of the shipped panel to which a model was fitted."""
    from pysd_runner.data.sources import shipped_panels

    if fitted.panel not in shipped_panels():
        raise InvalidInput(
            "the fit was made on panel {name!r}, which does not ship with gapsim: give its file with --data, and the "
            "options it was read with",
            name=fitted.panel,
        )
    return fitted.panel
