"""``gapsim ensemble``: run any model for many draws of its parameters."""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pysd_runner.cli.command import command
from pysd_runner.cli.options import Force, Seed
from pysd_runner.cli.session import Session
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.reports.folders import check_file, fresh_file, save_whole

if TYPE_CHECKING:  # slow imports (numpy)
    import pandas as pd

    from pysd_runner.ensemble import Ensemble, EnsembleJob
    from pysd_runner.ensemble.run import Keep
    from pysd_runner.model import Model

DRAWS = 256


class Kind(StrEnum):
    """Sampling design."""

    LHS = "lhs"
    SOBOL = "sobol"
    RANDOM = "random"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Options for the draws of parameters."""

    bound: Annotated[
        list[str] | None,
        typer.Option(
            "--bound",
            metavar="NAME=LOW:HIGH",
            help="Parameter drawn between two values; NAME alone takes the bounds the model gives. Without "
            "any, chance in the model's equations alone makes draws differ; repeatable.",
        ),
    ] = None
    design: Annotated[Kind, typer.Option("--design", help="How draws fill the bounds.")] = Kind.LHS
    draws: Annotated[int, typer.Option("--draws", min=1, help="Number of draws.")] = DRAWS
    rows: Annotated[
        Path | None, typer.Option("--rows", help="CSV file with a column per parameter and a row per draw, instead.")
    ] = None
    seed: Seed = 0


@dataclass(frozen=True, kw_only=True)
class Storing:
    """Options for storing finished blocks of draws, and for computing them."""

    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="FOLDER",
            help="Write finished blocks of draws to this folder, in place of one file at the end; the same command "
            "again goes on where it stopped.",
        ),
    ] = None
    part: Annotated[
        str,
        typer.Option(
            "--part", metavar="K/N", help="With --store: compute the K-th of N shares of the blocks, for job arrays."
        ),
    ] = "1/1"
    verify: Annotated[
        bool,
        typer.Option("--verify", help="With --store: compute nothing, read every file and name those damaged."),
    ] = False


@command(
    "ensemble",
    'gapsim ensemble mine.mdl --bound "policy strength=0.1:0.4" --draws 1000 --outcome "national output"',
    "gapsim ensemble regional_digital --bound q_a --bound q_u --design sobol --draws 64 --out ensemble.nc",
    "gapsim ensemble mine.mdl --rows draws.csv --statistics --out statistics.nc",
    "gapsim ensemble mine.mdl --bound rate=0:1 --design sobol --draws 1000000 --store runs --workers 2",
)
def ensemble(
    session: Session,
    model: Annotated[str, typer.Argument(help="Vensim or XMILE file, or the name of a shipped model.")],
    *,
    sampling: Sampling,
    outcome: Annotated[
        list[str] | None, typer.Option("--outcome", metavar="NAME", help="Variable to show; repeatable [default: all].")
    ] = None,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Keep mean, variance, extremes and quantiles over draws, not the runs.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Blocks of draws at the same time [default: every core].")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path("ensemble.nc"),
    force: Force = False,
    storing: Storing,
) -> int:
    """Run any model for many draws of its parameters, and write a netCDF file.

    Draws that give values that are not finite are counted and described; statistics leave them out. What an
    interruption finds finished is written.
    """
    if storing.store is None and (storing.part, storing.verify) != ("1/1", False):
        raise InvalidInput("--part and --verify need --store FOLDER, where the blocks are kept")
    if storing.store is None or statistics:
        check_file(out, ".nc", replace=force, inputs=(model, *(() if sampling.rows is None else (sampling.rows,))))
    from pysd_runner.ensemble import Statistics, ensemble_job, load_job, run_ensemble
    from pysd_runner.ensemble.cases import cases_of
    from pysd_runner.ensemble.run import check_kept
    from pysd_runner.model import load_model

    loaded = load_model(model)
    keep: Keep = Statistics() if statistics else "full"
    if storing.store is None and sampling.rows is None:  # before the design is drawn
        check_kept(cases_of(loaded, {}, None, outcomes=outcome), sampling.draws, "float64", keep)
    if storing.store is not None:
        if storing.verify:
            load_job(storing.store)  # raises if there is no stored ensemble; `ensemble_job` would create one
        cases = _cases(loaded, sampling, stored=True)
        job = ensemble_job(
            loaded,
            {} if cases is None else cases,
            store=storing.store,
            draws=sampling.draws if cases is None else None,
            outcomes=outcome,
            seed=sampling.seed,
            keep=keep,
        )
        if storing.verify:
            return _verify(session, job)
        return _run(session, job, storing, workers, out if statistics else None, force=force)
    cases = _cases(loaded, sampling)
    count = sampling.draws if cases is None else len(cases)
    with session.stage(
        Message("Running {count} draws of {model}", count=count, model=loaded.name), total=count
    ) as stage:
        found = run_ensemble(
            loaded,
            {} if cases is None else cases,
            draws=count,
            outcomes=outcome,
            seed=sampling.seed,
            threads=workers,
            keep=keep,
            progress=lambda _, done, total: stage.at("", done, total),
        )
    # Incomplete results do not replace an earlier file.
    out = out if found.complete else fresh_file(out)
    save_whole(out, ".nc", found.save, replace=force)
    _tell(session, found, out)
    if not found.complete:
        session.kept = [f"{found.draws} of {found.planned} draws had been finished and are kept in {out}."]
        raise KeyboardInterrupt
    return SimulationFailed.exit_code if found.failed.all() else 0


def _run(
    session: Session, job: "EnsembleJob", storing: Storing, workers: int | None, out: Path | None, *, force: bool
) -> int:
    """Compute the missing blocks of a stored ensemble; once all are complete, write their statistics."""
    recipe, path, part = job.store.recipe, job.store.path, _share(storing.part)
    share = sum(recipe.part(number).stop - recipe.part(number).start for number in job.numbers(part))
    with session.stage(
        Message("Running {count} draws of {model}", count=share, model=job.model.name), total=share
    ) as stage:
        try:
            job.run(workers=workers, part=part, progress=stage.advance)
        except KeyboardInterrupt:
            session.kept = [f"{job.done} of {recipe.blocks} blocks are kept in {path}; the same command goes on."]
            raise
    failed = sum(job.store.failed(number) for number in range(recipe.blocks) if job.store.has(number))
    session.data = {"store": path, "draws": recipe.count, "blocks": recipe.blocks, "done": job.done, "failed": failed}
    session.say(
        Message(
            "{done} of {blocks} blocks, {failed} cases in them failed: {path}",
            done=job.done,
            blocks=recipe.blocks,
            failed=failed,
            path=path,
        )
    )
    if job.complete and out is not None:
        found = job.statistics()
        save_whole(out, ".nc", found.save, replace=force)
        _tell(session, found, out)
    return 0


def _verify(session: Session, job: "EnsembleJob") -> int:
    """Report blocks whose files are damaged."""
    damaged = job.damaged()
    if not job.store.is_sealed:
        session.warn(
            Message(
                "{path} was begun by an earlier version, which did not seal the recipe and the description of its "
                "arrays: its blocks alone are verified.",
                path=job.store.path,
            )
        )
    session.data = {"store": job.store.path, "blocks": job.store.recipe.blocks, "done": job.done, "damaged": damaged}
    if damaged:
        raise InvalidInput(
            "{path}: {count} of {blocks} blocks are damaged, number {numbers}; the same command without --verify makes "
            "them anew",
            path=job.store.path,
            count=len(damaged),
            blocks=job.store.recipe.blocks,
            numbers=", ".join(map(str, damaged)),
        )
    session.say(
        Message(
            "{done} of {blocks} blocks, all as they were written: {store}",
            done=job.done,
            blocks=job.store.recipe.blocks,
            store=job.store.path,
        )
    )
    return 0


def _share(text: str) -> tuple[int, int]:
    """Parse a share of the work, such as 3/64."""
    share, sign, shares = text.partition("/")
    if not (sign and share.isdecimal() and shares.isdecimal()):
        raise InvalidInput("--part {text!r}: expected K/N, for instance 3/64", text=text)
    return int(share), int(shares)


def _cases(loaded: "Model", asked: Sampling, *, stored: bool = False) -> Any:
    """Design of the draws; None if they differ only by random functions in the model's equations.

    Each block of a stored ensemble generates its own part of a design that can be generated in parts.
    """
    from pysd_runner import ensemble as designs
    from pysd_runner.ensemble.cases import is_random
    from pysd_runner.ensemble.designs import NoBounds, intervals

    bounds = dict(map(_range, asked.bound or ()))
    if asked.rows is not None and bounds:
        raise InvalidInput("--bound and --rows both say what varies; give one of them")
    if asked.rows is not None:
        return designs.rows(loaded, _table(asked.rows))
    if not bounds:
        if is_random(loaded):
            return None
        raise InvalidInput(
            "nothing varies between draws: {model} has no random functions; give --bound NAME=LOW:HIGH for each "
            "parameter, --bound NAME where the model gives bounds, or --rows FILE",
            model=loaded.path.name,
        )
    makers = {Kind.LHS: designs.latin_hypercube, Kind.SOBOL: designs.sobol, Kind.RANDOM: designs.random_draws}
    try:
        if not stored or asked.design is Kind.LHS:
            return makers[asked.design](loaded, bounds, asked.draws, seed=asked.seed)
        ranges = intervals(loaded, bounds)
    except NoBounds as error:
        raise InvalidInput(
            "{model} gives no bounds of {parameter!r}; give them: {option}",
            model=loaded.path.name,
            parameter=error.name,
            option=f"--bound {shlex.quote(error.name)}=LOW:HIGH",
        ) from error
    return designs.Draws(
        method="sobol" if asked.design is Kind.SOBOL else "random", ranges=ranges, draws=asked.draws, seed=asked.seed
    )


def _table(path: Path) -> "pd.DataFrame":
    """Read a CSV file of numbers."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidInput(
            "{path}: expected a CSV file with a column per parameter: {error}", path=path, error=error
        ) from error
    for name in table.columns:
        numbers = pd.to_numeric(table[name], errors="coerce")
        if numbers.isna().any():
            place = int(numbers.isna().to_numpy().argmax())
            found = table[name].iloc[place]
            shown = Message("nothing") if pd.isna(found) else repr(found)
            raise InvalidInput(
                "{place}, row {row}, column {column!r}: expected a number; found {what}",
                place=path,
                row=place + 2,
                column=str(name),
                what=shown,
            )
    return table


def _range(text: str) -> tuple[str, tuple[float, float] | None]:
    """Parse a parameter and its bounds; names may contain an equals sign."""
    name, sign, interval = text.rpartition("=")
    if not sign:
        return text, None
    low, _, high = interval.partition(":")
    try:
        return name, (float(low), float(high))
    except ValueError as error:
        raise InvalidInput(
            "--bound {text!r}: expected NAME=LOW:HIGH, for instance 'policy strength=0.1:0.4'", text=text
        ) from error


def _tell(session: Session, found: "Ensemble", out: Path) -> None:
    session.data = {
        "file": out,
        "draws": found.draws,
        "planned": found.planned,
        "failed": int(found.failed.sum()),
        "failures": [str(item) for item in found.failures],
        "outcomes": list(found.data or found.statistics),
    }
    if found.failed.any():
        session.warn(found.describe())
    session.say(
        Message("{draws} draws, {failed} of them failed: {out}", draws=found.draws, failed=found.failed.sum(), out=out)
    )
