"""Resumable ensembles larger than memory: blocks of draws are computed on any executor and kept in a store."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pysd_runner.core.errors import InvalidInput, of_system
from pysd_runner.core.parallel import WorkerLost, open_pool
from pysd_runner.core.progress import between_steps
from pysd_runner.core.types import Array, Arrays, Flags, Texts, Values
from pysd_runner.engine import Failure, TimePath
from pysd_runner.engine.validation import check_integer
from pysd_runner.ensemble.cases import VECTOR, BlockRuns, Cases, Precision, cases_of
from pysd_runner.ensemble.designs import Design, intervals, warn_unbalanced
from pysd_runner.ensemble.result import Ensemble
from pysd_runner.ensemble.run import (
    MOST_TRACED,
    Keep,
    RunCollector,
    StatisticsCollector,
    check_kept,
    ensemble_of,
    statistics_of,
)
from pysd_runner.ensemble.statistics import Statistics
from pysd_runner.ensemble.store import (
    FAILED,
    RECIPE,
    BlockStore,
    Draws,
    EnsembleRecipe,
    create,
    folder_of,
    plain,
    read_statistics,
    run_file,
    runs_of_block,
    statistics_of_block,
)
from pysd_runner.model import Model
from pysd_runner.simulation.task import RunSettings, versions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EnsembleJob:
    """An ensemble whose finished blocks are kept in a store; created by `ensemble_job`, reopened by `load_job`."""

    store: BlockStore
    model: Model

    def __repr__(self) -> str:
        recipe = self.store.recipe
        what = "runs" if recipe.statistics is None else "statistics"
        done = f"{self.done} of {recipe.blocks} blocks"
        return f"<EnsembleJob of {self.model.name!r}: {what} of {recipe.count:,} draws, {done} in {self.store.path}>"

    @property
    def done(self) -> int:
        """Number of finished blocks."""
        return sum(self.store.has(number) for number in range(self.store.recipe.blocks))

    @property
    def complete(self) -> bool:
        """Whether all blocks are finished."""
        return self.done == self.store.recipe.blocks

    def run(
        self,
        executor: str | Executor = "threads",
        *,
        workers: int | None = None,
        part: tuple[int, int] = (1, 1),
        progress: Callable[[int], None] | None = None,
    ) -> "EnsembleJob":
        """Compute missing blocks, and recompute blocks whose files were damaged or changed.

        The contents of the store do not depend on the executor, the number of workers or interruptions. Several
        calls, on several machines that share the folder, may run at the same time.

        Parameters
        ----------
        executor
            ``"threads"``, ``"processes"``, or any executor with the interface of `concurrent.futures`. Threads are the
            fastest on one machine; processes suit engines that hold the global interpreter lock (``engine="pysd"``,
            ``"numpy"``).
        workers
            Number of threads or processes; None uses all cores.
        part
            ``(3, 64)`` computes the third of 64 shares of the blocks, for job arrays without a scheduler.
        progress
            Called with the number of draws of each finished block.

        Returns
        -------
        EnsembleJob
            This job.

        Raises
        ------
        InvalidInput
            If the store cannot be written, or an option is invalid.
        WorkerLost
            If a worker ended unexpectedly; finished blocks are kept.
        KeyboardInterrupt
            After an interruption; finished blocks are kept.
        """
        recipe, store = self.store.recipe, self.store
        mine = self.numbers(part)
        self.check_seal()
        if recipe.versions != (here := versions(recipe.engine)):
            raise InvalidInput(
                "{path} was begun with {versions}; here are {other_versions}",
                path=store.path,
                versions=_told(recipe.versions),
                other_versions=_told(here),
            )
        told = progress or (lambda _draws: None)
        missing = []
        for number in mine:
            if store.sound(number) is not None:
                told(_size(recipe.part(number)))
            else:
                store.discard(number)
                missing.append(number)
        work = partial(run_block, str(store.path), store.digest)
        try:
            with open_pool(executor, workers, items=len(missing)) as pool, between_steps() as interruption:
                for place, _ in pool.finished(work, missing):
                    told(_size(recipe.part(missing[place])))
                    interruption.check()
        except WorkerLost as error:
            raise WorkerLost(
                "{error}; what was finished is kept in {path}: run again to go on", error=error, path=store.path
            ) from error
        except OSError as error:
            raise InvalidInput(
                "{path}: {reason}; {done} of {blocks} blocks are kept, run again when this is mended",
                path=error.filename or store.path,
                reason=of_system(error),
                done=self.done,
                blocks=recipe.blocks,
            ) from error
        if self.complete:
            store.tidy()
        return self

    def numbers(self, part: tuple[int, int] = (1, 1)) -> range:
        """Numbers of the blocks in a share of the work, such as ``(3, 64)``."""
        share, shares = (check_integer("part", number, least=1) for number in part)
        if share > shares:
            raise InvalidInput(
                "part: expected a share between 1 and {shares}; found {share}", shares=shares, share=share
            )
        return range(share - 1, self.store.recipe.blocks, shares)

    def check_seal(self) -> None:
        """Raise `InvalidInput` if a file that is not of a block is not as it was when the store was begun."""
        changed = self.store.changed()
        if changed:
            raise InvalidInput(
                "{path}: {files}: not as written when the ensemble was begun, so that what is read from it may be "
                "wrong; {sound} of {done} finished blocks are as they were written. Bring the files back from a copy, "
                "or begin another store",
                path=self.store.path,
                files=", ".join(changed),
                sound=self.done - len(self._unsound()),
                done=self.done,
            )

    def damaged(self) -> list[int]:
        """Numbers of the finished blocks whose files were damaged or changed; other files raise, see `check_seal`."""
        self.check_seal()
        return self._unsound()

    def _unsound(self) -> list[int]:
        blocks = range(self.store.recipe.blocks)
        return [number for number in blocks if self.store.has(number) and self.store.sound(number) is None]

    def statistics(self, keep: Statistics | None = None) -> Ensemble:
        """Compute statistics over all draws block by block, so that memory does not grow with their number.

        Parameters
        ----------
        keep
            Statistics to compute from a store of runs; None takes those of the store, or the defaults.

        Returns
        -------
        Ensemble
            Identical, bit for bit, whichever executor computed the blocks.

        Raises
        ------
        InvalidInput
            If blocks are missing or damaged, or the store holds other statistics.
        """
        recipe = self.store.recipe
        if recipe.statistics is not None and keep not in (None, recipe.statistics):
            raise InvalidInput(
                "{path} keeps {statistics}, not {keep}; the runs are not in it",
                path=self.store.path,
                statistics=recipe.statistics,
                keep=keep,
            )
        kept = recipe.statistics or keep or Statistics()
        cases = replace(self._cases(slice(0, 1)), draws=recipe.count)
        streams = StatisticsCollector(cases, kept, block=recipe.block)
        outcomes = list(cases.shapes)
        failed = np.zeros((len(cases.scenarios), recipe.count), dtype=bool)
        for number, content in self._contents():
            part = recipe.part(number)
            if recipe.statistics is not None:
                reduced, failed[:, part] = read_statistics(content[_statistics_file(number)], outcomes)
                streams.add(reduced)
            else:
                runs, failed[:, part] = self._runs(number, content, cases)
                streams.add(streams.reduce(part, runs))
        return self._ensemble(cases, failed, streams.results(recipe.count), {})

    def ensemble(self) -> Ensemble:
        """Load all runs into memory.

        Raises
        ------
        InvalidInput
            If blocks are missing or damaged, the store holds statistics, or the memory of the machine is too small.
        """
        recipe = self.store.recipe
        if recipe.statistics is not None:
            raise InvalidInput("{path} keeps statistics, not the runs; take `statistics`", path=self.store.path)
        cases = self._cases(slice(0, recipe.count))
        kept = RunCollector(cases, recipe.precision)
        failed = np.zeros((len(cases.scenarios), recipe.count), dtype=bool)
        for number, content in self._contents():
            runs, failed[:, recipe.part(number)] = self._runs(number, content, cases)
            kept.reduce(recipe.part(number), runs)
        return self._ensemble(cases, failed, kept.results(recipe.count), cases.parameters)

    def _cases(self, part: slice) -> Cases:
        return self.store.recipe.cases(self.model, self.store.path, part)

    def _contents(self) -> Iterator[tuple[int, dict[str, bytes]]]:
        """Number and files of every block, in order."""
        self.check_seal()
        blocks, done = self.store.recipe.blocks, self.done
        if done < blocks:
            raise InvalidInput(
                "{path}: {done} of {blocks} blocks are finished; run the others first",
                path=self.store.path,
                done=done,
                blocks=blocks,
            )
        for number in range(blocks):
            content = self.store.sound(number)
            if content is None:
                raise InvalidInput(
                    "{path}: block {number} is damaged; run again to make it anew", path=self.store.path, number=number
                )
            yield number, content

    def _runs(self, number: int, content: Mapping[str, bytes], cases: Cases) -> tuple[list[BlockRuns], Flags]:
        """Runs of a block by scenario, and a mask of the failed cases."""
        recipe = self.store.recipe
        count, order = _size(recipe.part(number)), np.dtype(recipe.precision).newbyteorder("<")
        found = []
        for scenario in range(len(cases.scenarios)):
            data = {}
            for name, shape in cases.shapes.items():
                flat = np.frombuffer(content[run_file(folder_of(name), scenario, number, len(shape))], dtype=order)
                data[name] = np.moveaxis(flat.reshape(*shape, recipe.block)[..., :count], -1, 0)[None]
            failed = np.frombuffer(content[run_file(FAILED, scenario, number, 0)], dtype=bool)[:count]
            found.append(BlockRuns(scenario, data, failed))
        return found, np.stack([run.failed for run in found])

    def _ensemble(self, cases: Cases, failed: Flags, results: Values, parameters: Values) -> Ensemble:
        made = {"recipe": self.store.recipe.model_dump(mode="json")}
        return ensemble_of(self.model, cases, parameters, failed, self._failures(failed), made, results)

    def _failures(self, failed: Flags) -> tuple[Failure, ...]:
        """Trace the first failed cases to their first value that is not finite."""
        found = []
        for draw, scenario in np.argwhere(failed.T)[:MOST_TRACED].tolist():
            task = self._cases(slice(draw, draw + 1)).tasks[scenario]
            (item,) = task.traced(np.ones((1, 1), dtype=bool), task.compute())
            found.append(replace(item, scenario=scenario, draw=draw))
        return tuple(found)


def ensemble_job(
    model: Model,
    cases: Draws | Design | Values,
    *,
    store: str | Path,
    outcomes: Sequence[str] | None = None,
    scenarios: Mapping[str, Values] | None = None,
    draws: int | None = None,
    keep: Keep = "full",
    precision: Precision = "float64",
    **settings: Unpack[RunSettings],
) -> EnsembleJob:
    """Create a stored ensemble, or reopen it if the store already holds the same one.

    A job follows a recipe: the hash of the model, the design, the seed, the outcomes and whether runs or statistics
    are kept. Each block of draws is computed from the recipe and written atomically, so that the work can be
    interrupted, killed, divided over machines and resumed.

    Parameters
    ----------
    model
        The model, from `load_model`.
    cases
        `Draws`, which every block generates for itself; or values as for `run_ensemble`, which the store keeps.
    store
        Folder to create; ``xarray.open_zarr("store/runs.zarr", consolidated=False)`` reads the runs in it.
    outcomes, scenarios, draws, keep, precision, **settings
        As for `run_ensemble`.

    Returns
    -------
    EnsembleJob
        The job; `EnsembleJob.run` computes it.

    Raises
    ------
    InvalidInput
        If the folder exists and holds something else, or for the reasons given in `run_ensemble`.
    """
    given, count, made = _given(model, cases)
    found = cases_of(model, given, scenarios, draws if made is None else None, outcomes=outcomes, **settings)
    count = found.draws if count is None else count
    check_kept(found, count, precision, Statistics())  # blocks are in the store, and failed cases are read at once
    size = min(found.blocks(count)[0].stop, count)
    values = {} if made is not None else _by_variable(given)
    digests = {name: _digest(array) for name, array in values.items()}
    recipe = EnsembleRecipe(
        model=str(model.path.resolve()),
        sha256=model.sha256,
        regions=len(next(iter(model.elements.values()))) if model.elements else None,
        files={name: str(path) for name, path in model.files.items()},
        draws=made,
        values=digests,
        count=count,
        block=max(VECTOR, size - size % VECTOR),
        scenarios=_plain(model, scenarios),
        outcomes=found.first.outcomes,
        start=settings.get("start"),
        stop=settings.get("stop"),
        step=settings.get("step"),
        save_every=settings.get("save_every"),
        engine=found.first.engine,
        method=found.first.method,
        seed=found.first.seed,
        precision=precision,
        statistics=statistics_of(keep),
        versions=versions(found.first.engine),
    )
    path = Path(store)
    if not (path / RECIPE).is_file():
        if path.exists():
            raise InvalidInput("{path} is there already and is no stored ensemble; name another folder", path=path)
        about = {"scenarios": list(found.scenarios), "model": model.name, "recipe": recipe.digest}
        create(
            path, recipe, replace(found, draws=count), {digests[name]: array for name, array in values.items()}, about
        )
    there = EnsembleRecipe.read(path / RECIPE)
    if there != recipe:
        apart = [name for name in EnsembleRecipe.model_fields if getattr(there, name) != getattr(recipe, name)]
        raise InvalidInput(
            "{path} was begun with other settings ({settings}); name another folder, or ask for the same",
            path=path,
            settings=", ".join(apart),
        )
    return EnsembleJob(BlockStore(path, recipe, recipe.digest), model)


def load_job(store: str | Path) -> EnsembleJob:
    """Open a stored ensemble.

    Parameters
    ----------
    store
        Folder created by `ensemble_job`.

    Returns
    -------
    EnsembleJob
        The job, with the model it was created with.

    Raises
    ------
    InvalidInput
        If the folder is not a stored ensemble, or the model file has changed.
    """
    path = Path(store)
    recipe = EnsembleRecipe.read(path / RECIPE)
    return EnsembleJob(BlockStore(path, recipe, recipe.digest), recipe.load_model())


def run_block(store: str, digest: str, number: int) -> int:
    """Compute one block and write it to its store, in any process that can read the store and the model file."""
    job = _opened(store, digest)
    recipe = job.store.recipe
    if recipe.digest != digest:
        raise InvalidInput("{store} holds another ensemble than the one that was begun", store=store)
    if job.store.has(number):
        return number
    part = recipe.part(number)
    cases = recipe.cases(job.model, job.store.path, part)
    failed = np.zeros((len(cases.scenarios), _size(part)), dtype=bool)

    def runs() -> Iterator[BlockRuns]:
        for run in cases.runs(slice(0, _size(part)), recipe.precision):
            failed[run.scenario] = run.failed
            yield run

    if recipe.statistics is None:
        data = [run.data for run in runs()]
        files = runs_of_block(recipe, number, data, failed)
    else:
        streams = StatisticsCollector(replace(cases, draws=recipe.count), recipe.statistics, block=recipe.block)
        reduced = streams.reduce(part, runs())
        files = {_statistics_file(number): statistics_of_block(reduced, failed, list(cases.shapes))}
    job.store.write(number, files, int(failed.sum()))
    return number


@lru_cache(maxsize=8)
def _opened(store: str, digest: str) -> EnsembleJob:  # noqa: ARG001 - part of the cache key
    return load_job(store)


def _given(model: Model, cases: Draws | Design | Values) -> tuple[Any, int | None, Draws | None]:
    """Sample of the requested cases, number of draws and sampler of the blocks (both None if values were given)."""
    if not isinstance(cases, Draws):
        return cases, None, None
    count = check_integer("draws", cases.draws, least=1)
    if cases.method == "sobol":
        warn_unbalanced(count)
    made = Draws(
        method=cases.method,
        ranges=intervals(model, cases.ranges),
        draws=count,
        seed=check_integer("seed", cases.seed, least=0),
    )
    return made.part(model, slice(0, min(count, VECTOR))), count, made


def _by_variable(cases: Design | Values) -> Arrays:
    """Given values as arrays, by variable."""
    values = cases.cases if isinstance(cases, Design) else cases
    paths = [name for name, value in values.items() if isinstance(value, TimePath)]
    if paths:
        raise InvalidInput("{name!r} changes over time: in a store give paths in `scenarios`", name=paths[0])
    return {str(name): np.asarray(value, dtype=float) for name, value in values.items()}


def _plain(model: Model, scenarios: Mapping[str, Values] | None) -> dict[str, dict[str, Any]] | None:
    if scenarios is None:
        return None
    return {
        name: {variable: plain(value) for variable, value in model.by_variable(overrides).items()}
        for name, overrides in scenarios.items()
    }


def _digest(array: Array) -> str:
    return hashlib.sha256(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def _size(part: slice) -> int:
    return int(part.stop - part.start)


def _told(found: Texts) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _statistics_file(number: int) -> str:
    return f"blocks/{number:08d}.npz"
