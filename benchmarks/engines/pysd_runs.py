"""PySD itself: as released, and with its table functions read by `numpy.interp` for the time of a measurement."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.engines import Array, Unavailable
from benchmarks.models import Subject
from pysd_runner.engine.ir import key
from pysd_runner.engine.reference import BuiltModel, build
from pysd_runner.model import load_model

Lookups = Literal["released", "patched", "kept"]

_NAMES: dict[Lookups, str] = {
    "released": "PySD as released",
    "patched": "PySD, lookups patched",
    "kept": "PySD, lookups patched, points kept",
}
_NOTES: dict[Lookups, str] = {
    "released": "run(params, return_columns, progress=False); it has no ensembles, so one run stands for both columns",
    "patched": "its table functions read by numpy.interp, for this measurement only",
    "kept": "the same, with the points of a table taken out of xarray once",
}


@dataclass(slots=True)
class PreparedPySD:
    """A model that PySD built."""

    built: BuiltModel
    subject: Subject
    lookups: Lookups
    mended: bool = field(default=False)

    def ensemble(self, draws: Array) -> list[Any]:
        """Run all draws, one after the other."""
        return [self.single(row) for row in draws]

    def single(self, row: Array) -> Any:
        """Run one draw: a data frame with one column per variable."""
        names = [self.built.variables[key(name)] for name in self.subject.parameters]
        with warnings.catch_warnings(), _patches(self.lookups, mended=self.mended):
            warnings.simplefilter("ignore")
            return self.built.runner.run(
                params=dict(zip(names, row.tolist(), strict=True)),
                return_columns=[self.built.variables[key(name)] for name in self.subject.outcomes],
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
            column = frame[self.built.variables[key(name)]].to_numpy()
            steps = [np.asarray(getattr(item, "values", item), dtype=float).ravel() for item in column]
            parts.append(np.stack(steps, axis=-1))
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class PySD:
    """PySD, one run after the other: it has no ensembles."""

    lookups: Lookups
    batched: bool = False
    loads: int = 1

    @property
    def name(self) -> str:
        """As in the tables."""
        return _NAMES[self.lookups]

    @property
    def note(self) -> str:
        """How it was run."""
        return _NOTES[self.lookups]

    def version(self) -> str:
        """Version of PySD."""
        return f"pysd {version('pysd')}"

    def prepare(self, subject: Subject, folder: Path) -> PreparedPySD:
        """Build a model as PySD does."""
        place = folder / f"pysd_{subject.name}_{self.lookups}"
        place.mkdir(parents=True)
        model = load_model(subject.path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                built = build(model.file, model.ir, place)
            except Exception as error:  # PySD raises whatever its builder or the generated module runs into.
                raise Unavailable(f"PySD cannot build {subject.name}: {error}") from error
        return PreparedPySD(built, subject, self.lookups)


@contextlib.contextmanager
def _patches(lookups: Lookups, *, mended: bool) -> Iterator[None]:
    """Change PySD for the duration of a run.

    Table functions without subscripts are read by `numpy.interp`, scalars and arrays alike. Mended, smooths and delays
    start as floating-point numbers: PySD 3.14.3 cuts off the fraction of every later value when the initial value is
    written as an integer.
    """
    from pysd.py_backend import lookups as tables
    from pysd.py_backend.statefuls import Delay, DelayN, Smooth

    released = [(tables.Lookups, "_call", tables.Lookups._call)]
    released += [(kind, "initialize", kind.initialize) for kind in (Delay, DelayN, Smooth)]
    try:
        if lookups != "released":
            tables.Lookups._call = _interpolated(tables.Lookups._call, _POINTS[lookups])
        if mended:
            for kind in (Delay, DelayN, Smooth):
                kind.initialize = _floating(kind.initialize)
        yield
    finally:
        for kind, name, function in released:
            setattr(kind, name, function)


def _interpolated(released: Any, points: Callable[[Any, Any], tuple[Array, Array]]) -> Any:
    def call(self: Any, data: Any, x: Any, final_subs: Any = None) -> Any:
        if not self.is_float or self.interp != "interpolate":
            return released(self, data, x, final_subs)
        if np.ndim(x) == 0:
            return float(np.interp(float(x), *points(self, data)))
        return x.copy(data=np.interp(x.values, *points(self, data)))

    return call


def _plain(lookup: Any, data: Any) -> tuple[Array, Array]:  # noqa: ARG001 - the same as `_kept`
    return data["lookup_dim"].values, data.values


def _kept(lookup: Any, data: Any) -> tuple[Array, Array]:
    """Points of a table, kept on it: reading them from xarray costs more than the interpolation."""
    if getattr(lookup, "plain_of", None) is not data:
        lookup.plain_of, lookup.plain = data, _plain(lookup, data)
    found: tuple[Array, Array] = lookup.plain
    return found


_POINTS = {"patched": _plain, "kept": _kept}


def _floating(released: Any) -> Any:
    def initialize(self: Any, init_val: Any = None) -> None:
        released(self, init_val)
        self.state = self.state.astype(float)

    return initialize
