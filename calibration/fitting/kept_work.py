"""What a calibration, its profiles and samples, and a back-test keep of their finished work."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.observation import Noise
from calibration.optimisers import Minimum, SearchOutcome
from pysd_runner.export.records import Checkpoint, Computation

BACKTEST = Computation(
    name="back-test", label="backtest.json", settings="panel, forecasters, horizons, origins, draws or seed"
)
CALIBRATION = Computation(
    name="calibration",
    label="calibration.json",
    settings="model, panel, window, parameters, errors, seed or optimiser",
)
PROFILES = Computation(name="set of profiles", label="profiles.json", settings="model, panel, fit or level")
SAMPLE = Computation(name="sample", label="sample.json", settings="model, panel, fit, ensembles or seed")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """What a fit knows before its starts: errors by series, whether they had stopped moving, the end of the stages."""

    noise: Mapping[str, Noise]
    is_settled: bool
    staged: NDArray[np.float64]


def keep_settled(checkpoint: Checkpoint, settled: Settled) -> None:
    """Write errors and stages."""
    regional = {f"regional {place}": np.array(item.regional) for place, item in enumerate(settled.noise.values())}
    arrays = {
        "series": np.array(list(settled.noise)),
        "noise": np.array([(item.sd, item.persistence) for item in settled.noise.values()]),
        "is_settled": np.array(settled.is_settled),
        "staged": settled.staged,
    }
    checkpoint.keep("settled", arrays | regional)


def kept_settled(checkpoint: Checkpoint) -> Settled | None:
    """Errors and stages of an earlier process, None where it did not get so far."""
    kept = checkpoint.get("settled")
    if kept is None:
        return None
    noise = {
        str(label): Noise(float(sd), float(persistence), tuple(kept[f"regional {place}"].tolist()))
        for place, (label, (sd, persistence)) in enumerate(zip(kept["series"], kept["noise"], strict=True))
    }
    return Settled(noise=noise, is_settled=bool(kept["is_settled"]), staged=kept["staged"])


def keep_end(checkpoint: Checkpoint, number: int, end: Minimum) -> None:
    """Write the end of a start; one that was stopped by time is not finished."""
    if end.outcome is not SearchOutcome.OUT_OF_TIME:
        numbers = np.array([end.cost, end.slope, end.evaluations], dtype=float)
        checkpoint.keep(
            f"start-{number}", {"point": end.point, "numbers": numbers, "outcome": np.array(end.outcome.name)}
        )


def kept_ends(checkpoint: Checkpoint, starts: int) -> dict[int, Minimum]:
    """Ends of the starts that an earlier process finished."""
    ends = {}
    for number in range(starts):
        if (kept := checkpoint.get(f"start-{number}")) is not None:
            cost, slope, evaluations = kept["numbers"].tolist()
            outcome = SearchOutcome[str(kept["outcome"])]
            ends[number] = Minimum(
                point=kept["point"], cost=cost, outcome=outcome, slope=slope, evaluations=int(evaluations)
            )
    return ends
