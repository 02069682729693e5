"""PySD itself: as released, and with its table functions read by `numpy.interp`."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import Array, Unavailable
from benchmarks.models import Subject
from pysd_runner.engine.names import key
from pysd_runner.engine.sanitised import Sanitised, sanitise
from pysd_runner.engine.source import read_source


@dataclass(slots=True)
class PreparedPySD:
    """A model that PySD built, under generated names."""

    runner: Any
    safe: Sanitised
    subject: Subject
    patched: bool
    mended: bool = field(default=False)

    def ensemble(self, draws: Array) -> list[Any]:
        """Run all draws, one after the other."""
        return [self.single(row) for row in draws]

    def single(self, row: Array) -> Any:
        """Run one draw: a data frame with one column per variable."""
        names = [self.safe.variables[key(name)] for name in self.subject.parameters]
        with warnings.catch_warnings(), _patches(lookups=self.patched, states=self.mended):
            warnings.simplefilter("ignore")
            return self.runner.run(
                params=dict(zip(names, row.tolist(), strict=True)),
                return_columns=[self.safe.variables[key(name)] for name in self.subject.outcomes],
                progress=False,
                flatten_output=False,
            )

    def series(self, result: Any) -> Array:
        """Saved series, shape (draw, series, year)."""
        frames = result if isinstance(result, list) else [result]
        return np.stack([self._series(frame) for frame in frames])

    def _series(self, frame: Any) -> Array:
        parts = []
        for name in self.subject.outcomes:
            column = frame[self.safe.variables[key(name)]].to_numpy()
            steps = [np.asarray(getattr(item, "values", item), dtype=float).ravel() for item in column]
            parts.append(np.stack(steps, axis=-1))
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class PySD:
    """PySD, one run after the other: it has no ensembles."""

    patched: bool
    batched: bool = False

    @property
    def name(self) -> str:
        """As in the tables."""
        return "PySD, lookups patched" if self.patched else "PySD as released"

    @property
    def note(self) -> str:
        """How it was run."""
        if self.patched:
            return "its table functions read by numpy.interp instead of xarray, for this measurement only"
        return "run(params, return_columns, progress=False); it has no ensembles, so one run stands for both columns"

    def version(self) -> str:
        """Version of PySD."""
        return f"pysd {version('pysd')}"

    def prepare(self, subject: Subject, folder: Path) -> PreparedPySD:
        """Build a model as PySD does, after names were replaced by safe ones."""
        import pysd
        from pysd.builders.python.python_model_builder import ModelBuilder

        place = folder / f"pysd_{subject.name}_{self.patched}"
        place.mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            safe = sanitise(read_source(subject.path), place)
            try:
                runner = pysd.load(ModelBuilder(safe.abstract).build_model())
            except Exception as error:  # PySD raises whatever its builder or the generated module runs into.
                raise Unavailable(f"PySD cannot build {subject.name}: {error}") from error
        return PreparedPySD(runner, safe, subject, self.patched)


@contextlib.contextmanager
def _patches(*, lookups: bool, states: bool) -> Iterator[None]:
    """Change PySD for the duration of a run.

    `lookups`: table functions without subscripts are read by `numpy.interp`, scalars and arrays alike.
    `states`: smooths and delays start as floating-point numbers; PySD 3.14.3 cuts off the fraction of every later value
    when the initial value is written as an integer.
    """
    from pysd.py_backend.lookups import Lookups
    from pysd.py_backend.statefuls import Delay, DelayN, Smooth

    released = [(Lookups, "_call", Lookups._call)]
    released += [(kind, "initialize", kind.initialize) for kind in (Delay, DelayN, Smooth)]
    try:
        if lookups:
            Lookups._call = _interpolated(Lookups._call)
        if states:
            for kind in (Delay, DelayN, Smooth):
                kind.initialize = _floating(kind.initialize)
        yield
    finally:
        for kind, name, function in released:
            setattr(kind, name, function)


def _interpolated(released: Any) -> Any:
    def call(self: Any, data: Any, x: Any, final_subs: Any = None) -> Any:
        if not self.is_float or self.interp != "interpolate":
            return released(self, data, x, final_subs)
        points, values = _points(self, data)
        if np.ndim(x) == 0:
            return float(np.interp(float(x), points, values))
        return x.copy(data=np.interp(x.values, points, values))

    return call


def _points(lookup: Any, data: Any) -> tuple[Array, Array]:
    """Points of a table as plain arrays, kept on it: reading them from xarray costs more than the interpolation."""
    if getattr(lookup, "plain_of", None) is not data:
        lookup.plain_of, lookup.plain = data, (data["lookup_dim"].values, data.values)
    found: tuple[Array, Array] = lookup.plain
    return found


def _floating(released: Any) -> Any:
    def initialize(self: Any, init_val: Any = None) -> None:
        released(self, init_val)
        self.state = self.state.astype(float)

    return initialize
