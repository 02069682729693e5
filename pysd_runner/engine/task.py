"""A simulation task: checked input of a run, computed as a whole or in parts, by the engine chosen for it."""

import importlib.util
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.cache import ModelFile
from pysd_runner.engine.clock import Clock, clocks
from pysd_runner.engine.errors import InvalidInput, Message, ProbableSlip, UnsupportedFeature, suggest
from pysd_runner.engine.ir import FINAL_TIME, INITIAL_TIME, SAVEPER, TIME_STEP, Method, ModelIr
from pysd_runner.engine.kinds import Array, Flags, frozen
from pysd_runner.engine.numpy.target import computed
from pysd_runner.engine.passes.integration import check_orders, integrated, method_of
from pysd_runner.engine.tracing import Failure, not_usable, seen, trace
from pysd_runner.engine.validation import check_integer
from pysd_runner.engine.values import TimePath, fitted_to, leading_shape, one_case, some_cases

if TYPE_CHECKING:  # these load numpy
    from pysd_runner.engine.llvm.target import SingleCase
    from pysd_runner.engine.wasm import BrowserProgram

Engine = Literal["auto", "llvm", "numpy", "pysd"]

CONTROLS = (INITIAL_TIME, FINAL_TIME, TIME_STEP, SAVEPER)

# Maximum number of failed cases that are traced to the variable that failed first; all are counted.
TRACED = 3

# Remark on a failed case that does not fail when it is traced.
FINITE = Message("the same case with arrays in double precision is finite")


@frozen(kw_only=True)
class Task:
    """A simulation whose input has been checked."""

    ir: ModelIr
    file: ModelFile  # the file of the model, which engine "pysd" reads itself
    values: Mapping[str, Array | TimePath]
    clock: Clock
    outcomes: tuple[str, ...]  # variables to save, by their names in the file
    engine: Engine
    seed: int = 0  # seed of the random functions of the model
    first_draw: int = 0  # number of the first draw in the whole ensemble, for the random functions
    threads: int | None = None  # number of blocks of draws that the compiled engine runs in parallel
    method: Method = "euler"  # integration method of the stocks
    clocks: Mapping[tuple[int, int], Clock] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Array | TimePath]:
        """Input values, with those of the time controls that do not change during the run."""
        return {**_controls(self.clock), **self.values}

    @property
    def integrated(self) -> tuple[ModelIr, dict[str, Array | TimePath]]:
        """Model and inputs, rewritten so that Euler steps give the results of the integration method."""
        own_steps = TIME_STEP in self.clock.own
        return integrated(self.ir, self.inputs, self.method, self.clock.step, own_steps=own_steps)

    def part(self, draws: slice) -> "Task":
        """The task for some of the draws."""
        values = {name: some_cases(value, slice(None), draws) for name, value in self.values.items()}
        picked = {
            (scenario, draw - draws.start): clock
            for (scenario, draw), clock in self.clocks.items()
            if draws.start <= draw < draws.stop
        }
        return replace(self, values=values, first_draw=self.first_draw + draws.start, clocks=picked)

    def case(self, scenario: int, draw: int) -> "Task":
        """The task for one case, with its own clock."""
        values = {name: one_case(value, scenario, draw) for name, value in self.values.items()}
        clock = self.clocks.get((scenario, draw), self.clock)
        return replace(self, values=values, first_draw=self.first_draw + draw, clock=clock, clocks={})

    def for_browsers(self) -> "BrowserProgram":
        """The task as a WebAssembly module with the data needed to run it, for `explorer`."""
        from pysd_runner.engine.wasm import browser_program

        if self.clocks:
            raise UnsupportedFeature("steps that differ between draws: a page runs all draws in step")
        model, inputs = self.integrated
        return browser_program(model, inputs, self.outcomes, self.clock, self.seed)

    def compute(
        self, *, progress: Callable[[int], None] | None = None, into: Mapping[str, NDArray[Any]] | None = None
    ) -> dict[str, Array]:
        """Compute every outcome, shape (scenario, draw, ..., year); an engine may write results to arrays ``into``."""
        if self.clocks:
            return _case_by_case(self, progress)
        if self.engine == "pysd":
            from pysd_runner.engine.reference import run_reference

            return run_reference(self.file, self.ir, self.values, self.clock, self.outcomes, progress=progress)
        (model, inputs), clock = self.integrated, self.clock
        shared: dict[str, Any] = {"seed": self.seed, "first_draw": self.first_draw, "progress": progress}
        if self.engine == "numpy":
            return computed(model, self.outcomes, inputs, clock.times, clock.saved, step=clock.step, **shared)
        from pysd_runner.engine.llvm import target

        program = target.compiled(model, self.outcomes, inputs)
        steps = np.full(clock.times.size, clock.step)
        return target.run(
            program, inputs, clock.times, clock.saved, steps=steps, threads=self.threads, into=into, **shared
        )

    def failed_cases(self, data: Mapping[str, Array]) -> Flags:
        """Cases with a non-finite value that is defined by an equation and not marked as missing."""
        failed = np.zeros((1, 1), dtype=bool)
        for name, values in data.items():
            lead: Flags = np.zeros(values.shape[:2], dtype=bool)
            # A sum is finite only where every value is, and is cheaper than a mask; if it overflows, only time is lost.
            total = np.einsum(values, [*range(values.ndim)], [])  # type: ignore[arg-type]
            if not np.isfinite(total):
                lead = np.asarray(not_usable(self.ir, name, values).any(axis=tuple(range(2, values.ndim))))
            failed = failed | lead
        return failed

    def traced(self, failed: Flags, data: Mapping[str, Array]) -> tuple[Failure, ...]:
        """Find the first non-finite value of each of the first failed cases."""
        cases = [(scenario, draw) for scenario, draw in np.argwhere(failed)[:TRACED].tolist()]
        return tuple(self.traced_case(case, self.seen(data, case)) for case in cases)

    def traced_case(self, case: tuple[int, int], shown: Failure) -> Failure:
        """Find the first non-finite value of one failed case."""
        try:
            found = trace(
                self.ir,
                self.inputs,
                self.clocks.get(case, self.clock),
                self.outcomes,
                case,
                seed=self.seed,
                first_draw=self.first_draw,
                method=self.method,
            )
        except UnsupportedFeature:
            return shown
        return found or replace(shown, remark=FINITE)

    def seen(self, data: Mapping[str, Array], case: tuple[int, int]) -> Failure:
        """The first non-finite value of one failed case among its saved results."""
        return seen(self.ir, data, self.clock.saved_times, case)

    def check_orders(self) -> None:
        """Raise an error if values change the order of a delay."""
        check_orders(self.ir, self.inputs, self.clock.start, self.clock.step)

    def single(self) -> "SingleCase | None":
        """The compiled program of one case with its memory, for repeated runs; None for other engines."""
        if self.engine != "llvm":
            return None
        from pysd_runner.engine.llvm.target import SingleCase

        model, inputs = self.integrated
        return SingleCase(model, inputs, self.outcomes, self.clock, seed=self.seed, first_draw=self.first_draw)

    def compile(self) -> None:
        """Compile the task for the compiled engine in advance, so that several threads can share the program."""
        from pysd_runner.engine.llvm import target

        one = self.case(0, 0) if self.clocks else self
        model, inputs = one.integrated
        target.compiled(model, one.outcomes, inputs)


def prepared(  # noqa: PLR0913 - the settings of `simulate`
    ir: ModelIr,
    file: ModelFile,
    given: Mapping[str, Any],
    asked_for: Mapping[str, float | None],
    *,
    outcomes: Sequence[str] = (),
    engine: Engine = "auto",
    seed: int = 0,
    threads: int | None = None,
    method: Method | None = None,
    runs: int | None = None,
    seconds: float = math.inf,
) -> Task:
    """Check the arguments of a simulation and create its task.

    Parameters
    ----------
    ir
        The lowered model.
    file
        The file of the model.
    given
        Values by variable.
    asked_for
        Values of the time controls by name; None keeps the value in the file.
    engine, seed, threads, method
        As for `pysd_runner.simulate`.
    outcomes
        Variables to save.
    runs
        Number of cases of the task; None for a task that is computed repeatedly.
    seconds
        Maximum predicted compilation time.
    """
    asked, engine = engine, chosen(engine)
    seed = check_integer("seed", seed, least=0)
    threads = None if threads is None else check_integer("threads", threads, least=1)
    bounds = _bounds(given, {control: asked_for.get(control) for control in CONTROLS})
    ready = {name: fitted_to(ir, name, value) for name, value in given.items() if name not in bounds}
    _refuse_tables(ir, [*given, *outcomes])
    for name in (name for name in given if name in ir.pointed):
        raise InvalidInput(
            "{name!r} is data of which a function of data or a data equation reads the points; give no values in a "
            "run, but a data set when the model is loaded",
            name=name,
        )
    by = method_of(ir, file.name, method)
    for slip in ir.slips:
        warnings.warn(Message("{file}: {slip}", file=file.name, slip=slip), ProbableSlip, stacklevel=4)
    if engine == "pysd" and by != "euler":
        wish = "" if method else Message(", which {file} asks for; pass method='euler' to compare", file=file.name)
        raise InvalidInput("PySD knows 'euler' only; found method {method!r}{more}", method=by, more=wish)
    found = clocks(ir, file.name, ready, bounds, method=by, seed=seed)
    clock = found.first
    if engine == "llvm":
        work = Work.of(ir, clock.times.size, max(math.prod(leading_shape(ready)), runs or 1))
        too_long = work.compiling > seconds or (work.is_cheaper_by_numpy and runs is not None)
        if asked == "auto" and too_long:
            engine = "numpy"
        else:
            check_compiling(work, seconds)
    task = Task(
        ir=ir,
        file=file,
        values=ready,
        clock=clock,
        clocks=found.cases,
        method=by,
        outcomes=tuple(outcomes),
        engine=engine,
        seed=seed,
        threads=threads,
    )
    if engine != "pysd":
        task.check_orders()
    return task


def _case_by_case(task: Task, progress: Callable[[int], None] | None) -> dict[str, Array]:
    """Compute cases whose time controls differ, one after the other."""
    data: dict[str, Array] = {}
    scenarios, draws = leading_shape(task.inputs)
    for draw in range(draws):
        for scenario in range(scenarios):
            for name, values in task.case(scenario, draw).compute().items():
                whole = data.setdefault(name, np.empty((scenarios, draws, *values.shape[2:]), values.dtype))
                whole[scenario, draw] = values[0, 0]
        if progress is not None:
            progress(1)
    return data


def _refuse_tables(ir: ModelIr, names: Iterable[str]) -> None:
    tables = [name for name in names if ir.variables[name].kind == "lookup"]
    if tables:
        raise InvalidInput(
            "{name!r} is a table function and has no value of its own; name a variable that uses it", name=tables[0]
        )


def _bounds(given: Mapping[str, Any], asked: Mapping[str, float | None]) -> dict[str, float | None]:
    """Values of the time controls requested by the caller, by keyword or as values of model variables."""
    bounds: dict[str, float | None] = {}
    for control, keyword in asked.items():
        chosen = keyword
        if control in given:
            value = given[control]
            if keyword is not None or isinstance(value, TimePath) or np.size(value) != 1:
                raise InvalidInput("{control} holds for a whole run: give one number, once", control=control)
            chosen = np.asarray(value).item()
        try:
            bounds[control] = None if chosen is None else float(chosen)
        except (TypeError, ValueError) as error:
            raise InvalidInput("{control} must be a number; found {found!r}", control=control, found=chosen) from error
        if chosen is not None and not math.isfinite(bounds[control] or 0.0):
            raise InvalidInput(
                "{control} must be finite; found {found!r}. Omit it to use the file's value",
                control=control,
                found=chosen,
            )
    return bounds


def _controls(clock: Clock) -> dict[str, Array | TimePath]:
    bounds = {INITIAL_TIME: clock.start, FINAL_TIME: clock.stop, TIME_STEP: clock.step, SAVEPER: clock.save_every}
    return {name: np.full((1, 1), value) for name, value in bounds.items() if name not in clock.own}


class SlowerEngine(RuntimeWarning):
    """The compiled engine cannot be loaded; the NumPy engine is used instead."""


def chosen(engine: Engine) -> Engine:
    """Resolve ``"auto"`` and check that the engine is available.

    Parameters
    ----------
    engine
        ``"auto"`` is the compiled one, or NumPy where that cannot be loaded.
    """
    if engine not in get_args(Engine):
        names = ", ".join(repr(name) for name in get_args(Engine))
        raise InvalidInput(
            "engine must be one of {names}; found {found!r}.{suggestion}",
            names=names,
            found=engine,
            suggestion=suggest(str(engine), get_args(Engine)),
        )
    if engine == "auto":
        engine = "llvm" if _loads() else "numpy"
    if engine == "llvm" and not _loads():
        raise UnsupportedFeature("engine='llvm' needs llvmlite, which cannot be loaded; install it or use 'numpy'")
    return engine


@lru_cache(maxsize=1)
def _loads() -> bool:
    """Whether the compiled engine can be loaded; warns once if not."""
    if importlib.util.find_spec("llvmlite") is not None:
        try:
            import llvmlite.binding  # noqa: F401
        except (ImportError, OSError) as error:
            reason = str(error)
        else:
            return True
    else:
        reason = Message("it is not installed")
    warnings.warn(
        Message(
            "llvmlite cannot be loaded ({reason}): NumPy takes over, with the same numbers at a lower speed",
            reason=reason,
        ),
        SlowerEngine,
        stacklevel=2,
    )
    return False


# Maximum number of equations of models that are compiled without comparing costs: it takes under half a second, once.
BIG = 400

COMPILE, COMPILE_BLOCK = 0.1, 3.5e-4  # seconds to compile one kernel: fixed, and per equation
TEXT_BLOCK = 1e-4  # seconds to generate the NumPy code of an equation
STATEMENT, CELL = 1.3e-6, 4e-9  # seconds of a step in NumPy: per equation, and per array element and case


@frozen
class Work:
    """The size of a run, from which its cost is predicted."""

    blocks: int  # equations
    cells: int  # array elements of all variables at one time
    steps: int
    cases: int  # scenarios times draws

    @classmethod
    def of(cls, model: ModelIr, steps: int, cases: int) -> "Work":
        """Count all equations of a model, including those that the outcomes do not need."""
        variables = model.variables.values()
        cells = sum(prod(model.shape(item.dims)) for item in variables)
        return cls(sum(len(item.blocks) for item in variables), cells, steps, cases)

    @property
    def compiling(self) -> float:
        """Predicted compilation time in seconds."""
        return COMPILE + COMPILE_BLOCK * self.blocks

    @property
    def by_numpy(self) -> float:
        """Predicted time in seconds to generate NumPy code and run it."""
        running = self.steps * (STATEMENT * self.blocks + CELL * self.cells * self.cases)
        return TEXT_BLOCK * self.blocks + running

    @property
    def is_cheaper_by_numpy(self) -> bool:
        """Whether compilation alone is predicted to take longer than the whole run in NumPy."""
        return self.blocks > BIG and self.by_numpy < self.compiling


def check_compiling(work: Work, limit: float) -> None:
    """Reject a model whose predicted compilation time in seconds is above the limit."""
    if work.compiling > limit:
        raise UnsupportedFeature(
            "{count:,} equations are predicted to take {compiling:.2g} s to compile; at most "
            "{limit:g} s are allowed, unless the model is loaded with load_model(path, "
            "budgets=Budgets(seconds={seconds})): take engine='numpy', which needs no compiling",
            count=work.blocks,
            compiling=work.compiling,
            limit=limit,
            seconds=ceil(work.compiling),
        )
