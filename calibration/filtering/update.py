"""The update: what a year's observations say about the states of each region, localised to that region."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.filtering.shocks import apart_from

Array = NDArray[np.float64]


def updated(
    states: Sequence[Array], predicted: Array, observed: Array, noise: Array, rng: np.random.Generator
) -> list[Array]:
    r"""Ensemble Kalman update with perturbed observations, one region at a time and all regions at once.

    :math:`x_k \leftarrow x_k + C_{xh} (C_{hh} + R)^{-1} (y + e_k - h_k)`, covariances over members, :math:`e_k` free
    of sampling error. Evensen (2003), Ocean Dynamics 53: 343-367; localisation by domain as in Hunt et al. (2007),
    Physica D 230: 112-126.
    """
    seen = np.isfinite(observed)
    members = predicted.shape[1]
    spread = np.where(seen[:, None, :], predicted - predicted.mean(axis=1, keepdims=True), 0.0)
    variance = np.where(seen, (noise**2).mean(axis=1), 1.0)
    perturbed: list[Array] = []
    for size in noise:
        draw = apart_from(size * rng.standard_normal(size.shape), *states, *perturbed)
        now = np.sqrt((draw**2).mean(axis=0))
        perturbed.append(draw * np.sqrt((size**2).mean(axis=0)) / np.where(now > 0, now, 1.0))
    cross = np.stack(
        [np.einsum("mr,omr->ro", state - state.mean(axis=0), spread) / members for state in states], axis=1
    )
    inner = np.einsum("omr,pmr->rop", spread, spread) / members
    diagonal = np.arange(len(observed))
    inner[:, diagonal, diagonal] += variance.T
    # What is known without error and does not vary between members says nothing.
    certain = inner[:, diagonal, diagonal] <= 1e-18
    inner[:, diagonal, diagonal] = np.where(certain, 1.0, inner[:, diagonal, diagonal])
    gain = np.linalg.solve(inner, np.swapaxes(cross, 1, 2))  # (region, observation, state)
    surprise = np.where(seen[:, None, :], np.nan_to_num(observed)[:, None, :] + np.stack(perturbed) - predicted, 0.0)
    moved = np.einsum("ros,omr->smr", gain, surprise)
    return [state + change for state, change in zip(states, moved, strict=True)]
