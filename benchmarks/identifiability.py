"""What the shipped panel says about each parameter, by sets of series: python -m benchmarks.identifiability --help."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.fit import fit
from calibration.fitting.problem import Problem
from calibration.uncertainty import Identifiability, PosteriorDirection, directions, identify, point_at
from pysd_runner.data import Data, load_data
from pysd_runner.model import Model, load_model
from pysd_runner.spec import ErrorModel

Array = NDArray[np.float64]

MODEL, PANEL = "regional_digital", "china"

# Expected before anything was built, with another data set: states of a prototype observed in shares, 31 provinces, 12
# years, errors of 2 % a year in relative growth, 1.5 points of access, 3 % of the log index, 3 points of skills, 2 of
# application and 0.2 of net migration. The index, which is not observed here, counts in the later columns.
EXPECTED: Mapping[str, tuple[float, ...]] = {
    "g0": (0.00, 0.76, 0.80, 0.81, 0.82),
    "th_U": (0.05, 0.06, 0.06, 0.06, 0.07),
    "th_X": (0.00, 0.00, 0.00, 0.00, 0.00),
    "c1": (0.01, 0.01, 0.01, 0.01, 0.02),
    "eta_S": (0.03, 0.03, 0.04, 0.04, 0.05),
    "c0": (0.27, 0.29, 0.31, 0.31, 0.41),
    "lam_I": (0.40, 0.43, 0.46, 0.46, 0.52),
    "pi": (0.13, 0.14, 0.15, 0.15, 0.20),
    "eta_A": (0.00, 0.00, 0.00, 0.00, 0.00),
    "mu_K": (0.00, 0.00, 0.00, 0.00, 0.00),
    "q_a": (0.02, 0.96, 0.98, 0.98, 0.98),
    "p_a": (0.00, 0.44, 0.46, 0.46, 0.48),
    "h0": (0.01, 0.88, 0.95, 0.95, 0.96),
    "g_D": (0.00, 0.54, 0.66, 0.67, 0.69),
    "lam_S": (0.01, 0.01, 0.88, 0.89, 0.89),
    "lam_U": (0.04, 0.06, 0.96, 0.97, 0.97),
    "dep_S": (0.00, 0.01, 0.86, 0.86, 0.87),
    "q_u": (0.05, 0.06, 0.94, 0.99, 0.99),
    "p_u": (0.00, 0.00, 0.40, 0.75, 0.75),
    "dep_u": (0.00, 0.00, 0.77, 0.93, 0.93),
    "nu": (0.00, 0.00, 0.11, 0.16, 0.16),
    "k_X": (0.00, 0.00, 0.35, 0.66, 0.66),
    "k_G": (0.00, 0.00, 0.04, 0.22, 0.22),
    "m0": (0.07, 0.35, 0.38, 0.38, 0.62),
    "eps": (0.10, 0.36, 0.38, 0.38, 0.67),
    "sel": (0.01, 0.08, 0.43, 0.46, 0.80),
}
EXPECTED_SEEN = (1, 5, 12, 13, 14)

# Parameters of the measurement equations and of the start, which the shares of the prototype did not need.
BESIDE = ("lambda_s", "lambda_u", "h_s", "h_u")

# Directions listed of those about which the prior says more than the data.
NEXT = 5

# Parameters about which output says something.
OUTPUT = ("th_U", "c0", "c1", "lam_I", "pi", "g0")

# Measurements that are added one after the other.
SETS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("GDP", ("output",)),
    ("+ access", ("access", "access_level")),
    ("+ skills", ("skills", "skill_level")),
    ("+ application", ("application",)),
    ("+ migration", ("population",)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contractions:
    """Contraction of every parameter by sets of series.

    Attributes
    ----------
    keys
        Parameters.
    sets
        Names of the sets that the panel observes, each with all before it.
    shares
        One minus posterior over prior variance, shape (parameter, set).
    seen
        Directions with a singular value above 1, one number a set.
    cells
        Observations, one number a set.
    """

    keys: tuple[str, ...]
    sets: tuple[str, ...]
    shares: Array
    seen: tuple[int, ...]
    cells: tuple[int, ...]


def contractions(panel: Data, keys: Sequence[str], *, memory: str = "") -> Contractions:
    """Linearise at the centre of the priors with errors of the declared size, and add series step by step.

    Parameters
    ----------
    panel
        Observations.
    keys
        Parameters that may move, whatever their role.
    memory
        Memory of the errors of output instead of the declared one; empty to keep it.

    Returns
    -------
    Contractions
        Sets without a series in the panel are left out.
    """
    model = load_model(MODEL, regions=len(panel.regions))
    errors = {"output": replace(_growth_errors(model), memory=memory)} if memory else {}
    problem = Problem(model, panel, free=keys, observations={key: {"errors": item} for key, item in errors.items()})
    at = point_at(problem, problem.space.centre)
    scaled = at.data_jacobian / problem.space.prior_slopes(at.point)
    labels = _labels(problem)
    names, shares, seen, cells = [], [], [], []
    chosen = np.zeros(len(scaled), dtype=bool)
    for name, measurements in SETS:
        added = np.isin(labels, measurements)
        if not added.any():
            continue
        chosen |= added
        part = scaled[chosen]
        curvature = np.eye(scaled.shape[1]) + part.T @ part
        names.append(name)
        shares.append(1 - np.diag(np.linalg.inv(curvature)))
        seen.append(int((np.linalg.svd(part, compute_uv=False) > 1).sum()))
        cells.append(int(chosen.sum()))
    return Contractions(
        keys=problem.space.keys,
        sets=tuple(names),
        shares=np.stack(shares, axis=1),
        seen=tuple(seen),
        cells=tuple(cells),
    )


def _growth_errors(model: Model) -> ErrorModel:
    if model.spec is None:
        raise ValueError(f"{model.path.name} has no declarations")
    return model.spec.measurements["output"].errors


def _labels(problem: Problem) -> NDArray[np.str_]:
    """Measurement of each data residual."""
    parts = [[item.measurement] * int(item.used.sum()) for item in problem.series]
    return np.array([name for part in parts for name in part])


def table(found: Contractions, keys: Sequence[str] = ()) -> list[str]:
    """A Markdown table with what was expected beside what is found.

    Parameters
    ----------
    found
        What `contractions` gave.
    keys
        Parameters to show; empty for all.

    Returns
    -------
    list of str
        Lines; expected figures in brackets.
    """
    names = [name for name, _ in SETS]
    lines = [f"| parameter | {' | '.join(found.sets)} |", f"|---|{'---|' * len(found.sets)}"]
    for place, key in enumerate(found.keys):
        if keys and key not in keys:
            continue
        expected = EXPECTED.get(key)
        cells = []
        for column, name in enumerate(found.sets):
            known = "" if expected is None else f" ({expected[names.index(name)]:.2f})"
            cells.append(f"{max(found.shares[place, column], 0.0):.2f}{known}")
        lines.append(f"| `{key}` | {' | '.join(cells)} |")
    seen = [f"{count} ({EXPECTED_SEEN[names.index(name)]})" for name, count in zip(found.sets, found.seen, strict=True)]
    lines.append(f"| directions seen, of {len(found.keys)} (of 26) | {' | '.join(seen)} |")
    lines.append(f"| observations | {' | '.join(str(count) for count in found.cells)} |")
    return lines


def verdict_table(found: Identifiability, keys: Sequence[str]) -> list[str]:
    """The verdicts of a calibration as a Markdown table.

    Parameters
    ----------
    found
        Verdicts.
    keys
        Parameters to show.

    Returns
    -------
    list of str
        Lines, the best known parameter first.
    """
    lines = ["| parameter | estimate | 90 % interval | contraction | shift | verdict |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{item.key}` | {item.estimate:.3g} | {item.low:.3g} to {item.high:.3g} | {item.contraction:.2f} | "
        f"{item.shift:+.2f} | {item.words} |"
        for item in sorted(found.verdicts, key=lambda verdict: -verdict.contraction)
        if item.key in keys
    ]
    return lines


def _listed(found: Sequence[PosteriorDirection]) -> list[str]:
    return [f"* {item}" for item in found]


def page(panel: Data) -> list[str]:
    """Everything the page shows, as Markdown.

    Parameters
    ----------
    panel
        Observations.

    Returns
    -------
    list of str
        Lines.
    """
    found = contractions(panel, (*EXPECTED, *BESIDE))
    forgetful = contractions(panel, (*EXPECTED, *BESIDE), memory="independent")
    problem = Problem(load_model(MODEL, regions=len(panel.regions)), panel)
    result = fit(problem, starts=2, seed=0)
    verdicts = identify(problem, result)
    centre = directions(point_at(problem, problem.space.centre))
    seen = [item for item in verdicts.directions if item.is_seen]
    window = f"{problem.first_year}-{problem.last_year}"
    return [
        f"Panel `{panel.name}`, {len(panel.regions)} regions, {window}.",
        "",
        "### Contraction by sets of series, at the centre of the priors, declared errors; expected figures in brackets",
        "",
        *table(found),
        "",
        "### The same with errors of growth that have no memory",
        "",
        *table(forgetful, OUTPUT),
        "",
        f"### The calibration itself: {len(verdicts.verdicts)} parameters estimated together, errors too, profiles",
        "",
        *verdict_table(verdicts, [item.key for item in result.shown]),
        "",
        f"The other {len(result.parameters) - len(result.shown)} lose less than a twentieth of their prior variance. "
        f"Of {len(centre)} directions the data see {sum(item.is_seen for item in centre)} at the centre of the priors "
        f"and {len(seen)} at the estimate:",
        "",
        *_listed(seen),
        "",
        f"The next {NEXT}, about which the prior says more:",
        "",
        *_listed([item for item in verdicts.directions if not item.is_seen][:NEXT]),
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Print the tables.

    Parameters
    ----------
    given
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identifiability", description=__doc__)
    parser.add_argument("--panel", default=PANEL, help="shipped panel or file (china)")
    options = parser.parse_args(given)
    print("\n".join(page(load_data(options.panel, panel=True))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
