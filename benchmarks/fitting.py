"""A least-squares fit of digi31: 20 parameters, every saved value of 31 regions a residual."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.optimize import least_squares

from benchmarks import targets
from benchmarks.differentiating import Jacobian
from benchmarks.engines import Array
from benchmarks.engines.ours import LlvmModel, Ours
from benchmarks.extras import Context, Finding, verdict
from benchmarks.models import find_subject

Method = Literal["trf", "lm"]

# Each parameter starts this far from the truth, up or down.
PERTURBED = 0.25
TOLERANCE = 1e-10
METHODS: tuple[Method, ...] = ("trf", "lm")


@dataclass(slots=True)
class Stopwatch:
    """Adds up the processor time of a function."""

    function: Callable[[Array], Any]
    seconds: float = 0.0
    calls: int = 0
    last: Any = field(default=None)

    def __call__(self, point: Array) -> Any:
        started = time.process_time()
        self.last = self.function(point)
        self.seconds += time.process_time() - started
        self.calls += 1
        return self.last


def fitting(context: Context) -> Finding:
    """Processor time of a fit, split into model, Jacobian and optimiser."""
    subject = find_subject("digi31", yardsticks=context.yardsticks, world3=None, folder=context.folder)
    ours = Ours("llvm").prepare(subject, context.folder)
    if not isinstance(ours, LlvmModel):
        raise TypeError("the fit needs the compiled engine")
    exact = Jacobian(subject)
    truth = np.array(subject.base)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], truth.size)
    start = truth * (1 + PERTURBED * signs)
    observed = ours.series(ours.single(truth))[0]

    def residuals(point: Array) -> Array:
        found: Array = np.concatenate([item.reshape(-1) for item in ours.single(point)]) - data
        return found

    def slopes(point: Array) -> Array:
        return exact(point)[1].reshape(-1, truth.size)

    data = observed.reshape(-1)
    finding = Finding(
        f"fit of digi31: {data.size:,} residuals, {truth.size} parameters, started {PERTURBED:.0%} off, "
        f"tolerance {TOLERANCE:g}, derivatives exact"
    )
    for method in METHODS:
        best = min(
            (_fitted(residuals, slopes, start, method) for _ in range(context.rounds)), key=lambda item: item["all"]
        )
        error = float(np.abs(best.pop("point") / truth - 1).max())
        said = verdict(best["all"], targets.FIT_SECONDS, least=False) if method == METHODS[0] else ""
        finding.lines.append(
            f"{method}: {1e3 * best['all']:.1f} ms {said}: model {1e3 * best['model']:.1f} ms in {best['model_calls']} "
            f"calls, Jacobian {1e3 * best['jacobian']:.1f} ms in {best['jacobian_calls']}, optimiser "
            f"{1e3 * best['optimiser']:.1f} ms; parameters found to {error:.0e}"
        )
        finding.record[method] = {**best, "largest_error": error}
    return finding


def _fitted(
    residuals: Callable[[Array], Array], slopes: Callable[[Array], Array], start: Array, method: Method
) -> dict[str, Any]:
    model, jacobian = Stopwatch(residuals), Stopwatch(slopes)
    started = time.process_time()
    found = least_squares(
        model, start, jac=jacobian, method=method, ftol=TOLERANCE, xtol=TOLERANCE, gtol=TOLERANCE, x_scale=np.abs(start)
    )
    seconds = time.process_time() - started
    return {
        "all": seconds,
        "model": model.seconds,
        "jacobian": jacobian.seconds,
        "optimiser": seconds - model.seconds - jacobian.seconds,
        "model_calls": model.calls,
        "jacobian_calls": jacobian.calls,
        "cost": float(found.cost),
        "point": found.x,
    }
