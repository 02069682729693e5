"""The Jacobian of a model through the compiled engine, in buffers that are used again."""

import numpy as np

from benchmarks.engines import Array
from benchmarks.engines.ours import Buffers, Loaded, clock_of
from benchmarks.models import Subject
from pysd_runner.model import load_model


class Jacobian:
    """Saved series and their exact derivatives by every parameter.

    Parameters
    ----------
    subject
        The model.
    """

    def __init__(self, subject: Subject) -> None:
        from pysd_runner.engine.llvm.target import compiled
        from pysd_runner.engine.passes.derivatives import differentiated

        model = load_model(subject.path)
        loaded = Loaded(model, subject, clock_of(model), "llvm")
        row = np.array(subject.base)[None, :]
        given = tuple(loaded.values(row))
        found = differentiated(model.ir, subject.parameters, subject.outcomes, given)
        self.subject = subject
        self.twins = [found.twins[name] for name in subject.outcomes]
        names = (*subject.outcomes, *self.twins)
        self.buffers = Buffers(compiled(found.model, names, loaded.values(row), single=True), loaded, row)

    def __call__(self, row: Array) -> tuple[Array, Array]:
        """Value and Jacobian of all saved series.

        Parameters
        ----------
        row
            Shape (parameter,).

        Returns
        -------
        tuple of ndarray
            Shapes (series, year) and (series, year, parameter).
        """
        self.buffers.run(row[None, :])
        views, count = self.buffers.views, len(self.subject.outcomes)
        years, parameters = self.subject.years, len(self.subject.parameters)
        values = np.concatenate([view[0, 0].reshape(-1, years) for view in views[:count]])
        # A twin has the axes (scenario, draw, ..., parameter, year).
        slopes = [np.moveaxis(view[0, 0], -2, -1).reshape(-1, years, parameters) for view in views[count:]]
        return values, np.concatenate(slopes)


def differences(model: object, row: Array, step: float = 1e-6) -> Array:
    """The same Jacobian by central differences of an ensemble, shape (series, year, parameter)."""
    sizes = step * np.maximum(np.abs(row), 1e-3)
    moved = np.concatenate([row + np.diag(sizes), row - np.diag(sizes)])
    series = model.series(model.ensemble(moved))  # type: ignore[attr-defined]
    up, down = series[: len(row)], series[len(row) :]
    return np.asarray(np.moveaxis((up - down) / (2 * sizes[:, None, None]), 0, -1))
