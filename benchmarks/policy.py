"""Figures of the policy analyses: python -m benchmarks.policy FIT --help.

FIT is the folder ``fit`` of ``gapsim demo``: a sampled fit with its forecast.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.data import load_data
from pysd_runner.model import load_model
from pysd_runner.policy import (
    Attribution,
    Objective,
    Optimum,
    Space,
    Study,
    attribute,
    effects_of,
    optimise,
    policy_of,
    space_of,
    study_of,
)
from pysd_runner.policy.attribution import subsets
from pysd_runner.policy.spaces import DEFAULT_CONSTRAINTS
from pysd_runner.scenarios import load_scenario, shipped_scenarios
from pysd_runner.simulation import simulate
from pysd_runner.spec import load_baseline, load_fitted
from pysd_runner.study.inputs import ProjectionInputs, inputs_of

Array = NDArray[np.float64]

PANEL, MODEL, POLICY, OUTCOME = "china", "regional_digital", "zoned_need", "theil_closed"
# Ways of giving money on the lattice: by output, per head, by need.
WAYS = (-1.0, 0.0, 1.0)
EXCHANGES = (0.05, 0.1)


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """A result and the processor time it took."""
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def shipped_policy(inputs: ProjectionInputs, name: str) -> dict[str, object]:
    """Values of a shipped scenario."""
    return policy_of(inputs, load_scenario(name, model=inputs.model))


def batch_lines(inputs: ProjectionInputs, study: Study) -> Iterator[str]:
    """What a batch of all subsets costs beside as many plain runs, and the memory it takes."""
    policy = shipped_policy(inputs, POLICY)
    policies = [study.switched(policy, map(float, mask)) for mask in subsets(len(study.levers))]
    outcome = study.outcomes[OUTCOME]
    effects_of(study, policies[:1], [outcome])
    found, batch = timed(lambda: effects_of(study, policies, [outcome]))
    assert isinstance(found, dict)  # noqa: S101
    values = {**study.values, **study.stacked(policies[-1:])}
    span: Any = {"start": study.bounds[0], "stop": study.bounds[1], "save_every": 1}
    names = ["Output", "Population"]
    plain = min(timed(lambda: simulate(study.model, values, outcomes=names, **span))[1] for _ in range(3))
    runs = (len(policies) + 1) * study.draws
    yield f"   {runs} runs: {batch:.1f} s of processor time, {1e3 * batch / runs:.3f} ms a run"
    alone = plain * (len(policies) + 1)
    yield f"   as many plain runs: {alone:.1f} s; ratio {batch / alone:.2f}"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield f"   most memory of the process: {memory:.0f} MB"
    yield f"   largest effect of the empty set: {np.abs(found[OUTCOME][0]).max():.1e}"


def attribution_lines(inputs: ProjectionInputs, study: Study) -> Iterator[str]:
    """How exactly contributions sum, and their time."""
    policy = shipped_policy(inputs, POLICY)
    attribute(study.only(np.arange(4)), policy, outcome=OUTCOME)
    exact, took = timed(lambda: attribute(study, policy, outcome=OUTCOME))
    assert isinstance(exact, Attribution)  # noqa: S101
    sums = np.abs(exact.shapley.sum(axis=0) - exact.total).max()
    yield f"   contributions miss the effect by {sums:.1e} at most; {took:.1f} s; {exact!r}"


def lattice_lines(inputs: ProjectionInputs, study: Study, parts: int) -> Iterator[str]:
    """The optimum of uniform mixes beside brute force on a lattice."""
    scenario = load_scenario(POLICY, model=inputs.model)
    space, start = space_of(inputs, scenario, by="lever")
    space = replace(space, decisions=tuple(replace(decision, upper=1.0) for decision in space.decisions))
    found, took = timed(lambda: optimise(study, space, objective=Objective(OUTCOME), start=start, describe=False))
    half = study.only(np.arange(0, study.draws, 2))
    bars = list(combinations(range(parts + 6), 6))
    mixes = [np.diff((-1, *bar, parts + 6)) - 1 for bar in bars]
    points = [np.append(mix / parts, way) for way in WAYS for mix in mixes]

    def brute() -> Array:
        best = []
        for first in range(0, len(points), 512):
            policies = [space.policy(half, point) for point in points[first : first + 512]]
            values = effects_of(half, policies, [half.outcomes[OUTCOME]], every=half.bounds[1] - half.bounds[0])
            best.append(values[OUTCOME][..., -1].mean(axis=1))
        return np.concatenate(best)

    values, long = timed(brute)
    assert isinstance(values, np.ndarray)  # noqa: S101
    assert isinstance(found, Optimum)  # noqa: S101
    yield f"   lattice of {len(points)} policies x {half.draws} draws: best {values.max():.4f} in {long:.0f} s"
    yield f"   optimum {found.in_sample:.4f} in {took:.0f} s, {found.in_sample / values.max():.4f} of it"


def class_lines(inputs: ProjectionInputs, study: Study, starts: int) -> Iterator[str]:
    """Optima by class: starts, conditions, exchanges, rounding, and the shipped mixes; without and with constraints."""
    scenario = load_scenario(POLICY, model=inputs.model)
    space, start = space_of(inputs, scenario)
    names = [name for name in shipped_scenarios() if load_scenario(name).policy.spends]
    rivals = {name: shipped_policy(inputs, name) for name in names if not load_scenario(name).assumptions}
    for label, rules in (("free", ()), ("default constraints", DEFAULT_CONSTRAINTS)):
        question: Any = {"objective": Objective(OUTCOME), "subject_to": rules, "start": start, "rivals": rivals}
        one, took = timed(partial(optimise, study, space, starts=1, describe=False, **question))
        found = optimise(study, space, starts=starts, **question) if starts > 1 else one
        assert isinstance(found, Optimum)  # noqa: S101
        values = [item.value for item in found.starts]
        yield f"   {label}: in sample {found.in_sample:.3f}, out of sample {found.out_of_sample:.3f}"
        yield f"     a start {took:.0f} s of processor time, {study.draws // 2} draws, {len(space)} numbers"
        shown = [round(value, 4) for value in values]
        yield f"     values of starts {shown}, apart by {1 - min(values) / max(values):.4f}"
        yield f"     constraints missed by {[round(item.miss, 5) for item in found.starts]} of their effects"
        yield f"     residual {found.residual:.4f} of the gradient; rounding loses {found.rounding:.4f}"
        rival = found.best_rival
        yield f"     best rival {rival or 'none'} {found.rivals.get(rival, np.nan):.3f}; beaten: {found.beats_rivals}"
        held = [name for name in found.binding if "=" not in name]
        yield f"     relaxed {dict(found.relaxed)}; binding {held}"
        if not rules:
            gain = exchanged(study, space, found.point)
            yield f"     best exchange of 5 or 10 per cent within a class gains {gain:.4f}"


def exchanged(study: Study, space: Space, point: Array) -> float:
    """Most that moving 5 or 10 per cent between two levers of a class gains, as a part of the objective."""
    half = study.only(np.arange(0, study.draws, 2))
    points = [point]
    for step in EXCHANGES:
        for giver, one in enumerate(space.decisions):
            for taker, two in enumerate(space.decisions):
                if one.group and one.group == two.group and giver != taker and point[giver] >= step:
                    moved = point.copy()
                    moved[giver] -= step
                    moved[taker] += step
                    points.append(moved)
    policies = [space.policy(half, item) for item in points]
    span = half.bounds[1] - half.bounds[0]
    values = effects_of(half, policies, [half.outcomes[OUTCOME]], every=span)[OUTCOME][..., -1].mean(axis=1)
    return float(values[1:].max() / values[0] - 1)


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("fit", type=Path, help="folder of a sampled fit with its forecast")
    parser.add_argument("--only", choices=("batch", "attribution", "lattice", "classes"), help="one part alone")
    parser.add_argument("--until", type=int, default=2040, help="last year (2040)")
    parser.add_argument("--draws", type=int, default=400, help="draws; a search sees half of them (400)")
    parser.add_argument("--starts", type=int, default=4, help="searches by class (4)")
    parser.add_argument("--parts", type=int, default=10, help="parts of a mix on the lattice (10)")
    parser.add_argument("--seed", type=int, default=0, help="seed (0)")
    options = parser.parse_args(given)
    panel = load_data(PANEL, panel=True)
    inputs = inputs_of(
        load_model(MODEL, regions=len(panel.regions)),
        panel,
        load_fitted(options.fit / "fitted.json"),
        baseline=load_baseline(options.fit),
        until=options.until,
        draws=options.draws,
        seed=options.seed,
    )
    study = study_of(inputs)
    sections: dict[str, Callable[[], Iterator[str]]] = {
        "batch": lambda: batch_lines(inputs, study),
        "attribution": lambda: attribution_lines(inputs, study),
        "lattice": lambda: lattice_lines(inputs, study, options.parts),
        "classes": lambda: class_lines(inputs, study, options.starts),
    }
    for name, lines in sections.items():
        if options.only in (None, name):
            print(name, flush=True)
            for line in lines():
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
