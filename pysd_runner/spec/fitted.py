"""Fitted parameters of a calibration, their file, and draws from them for projections."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from pathlib import Path

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message, UnknownName, suggest
from pysd_runner.core.types import Array, Indices, Numbers, Record, frozen
from pysd_runner.export.records import check_entries, nan_to_null, null_to_nan, read_record, write_record
from pysd_runner.spec.declarations import ModelSpec
from pysd_runner.spec.priors import Prior

SCHEMA = 2
# Error message for files of earlier schemas.
EARLIER = Message("calibrated by an earlier version, which estimated only part of the parameters; calibrate again")
REMEDY = Message("calibrate again")

# Minimum shift from the prior median, in prior standard deviations, reported if the contraction is below the second.
MOVED, UNTOLD = 0.2, 0.1
MOVED_BY = Message("moved although the data say nothing of it: through its correlation with others, or the structure")

# Entry of `FittedParameters.provenance` with the log densities of its draws: of the data, ``"likelihood"``, and of each
# measured effect by its key, in the order of the draws.
DENSITIES = "log_densities"

# Relative tolerance of the bounds, for rounding.
ROUNDING = 1e-9
# Size of the blocks of normal draws, and maximum number of draws tried per draw requested.
BLOCK, MOST_TRIES = 256, 1000


def has_moved(shift: float, contraction: float) -> bool:
    """Whether the centre of a posterior lies away from the prior median although the data are not informative."""
    return abs(shift) > MOVED and contraction < UNTOLD


def moved_words(shifts: Numbers, contraction: Sequence[float]) -> str:
    """Sentence on the parameters of which `has_moved` holds; empty if there are none."""
    pairs = zip(shifts.items(), contraction, strict=True)
    found = ", ".join(f"{key} {shift:+.2f}" for (key, shift), share in pairs if has_moved(shift, share))
    return Message("{which}: {how}", which=found, how=MOVED_BY) if found else ""


@frozen
class FittedParameters:
    """Parameters of a model estimated from one panel.

    Arrays over parameters are in the order of ``keys``; the unconstrained scale of a parameter is that of its prior.

    Attributes
    ----------
    model, model_sha256
        Name of the model and digest of its file.
    panel, panel_sha256
        Name of the panel and digest of its content.
    first_year, last_year
        First and last year of the data, or start and end of the fitted run; the last year is the origin.
    regions
        Region codes, in the order of the panel.
    keys
        Parameter keys.
    estimates
        Point estimates, each in the unit of its parameter.
    standard_errors
        Standard errors by the delta method, in the unit of the parameter; NaN if not available.
    covariance
        Covariance matrix on the unconstrained scale.
    contraction
        One minus the ratio of posterior to prior variance on the unconstrained scale; NaN if not available.
    at_bound
        ``""``, ``"lower"`` or ``"upper"`` for each parameter.
    status, message
        Status of the search in one word and in one sentence.
    residual_sd
        Standard deviation of the residuals by measurement key, in the unit of that measurement.
    shock_sd
        Yearly standard deviation of the regional shock to log output.
    fixed
        Values of parameters fixed by the user, by key; they are the same in every draw.
    provenance
        How the fit was made, as values that JSON can represent.
    draws
        Posterior draws in the units of the parameters, one row each in the order of ``keys``; empty if the posterior
        was not sampled, in which case the normal approximation is used.
    """

    model: str
    model_sha256: str
    panel: str
    panel_sha256: str
    first_year: int
    last_year: int
    regions: tuple[str, ...]
    keys: tuple[str, ...]
    estimates: tuple[float, ...]
    standard_errors: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    contraction: tuple[float, ...]
    at_bound: tuple[str, ...]
    status: str
    message: str
    residual_sd: Numbers = field(default_factory=dict)
    shock_sd: float = 0.0
    fixed: Numbers = field(default_factory=dict)
    provenance: Record = field(default_factory=dict)
    draws: tuple[tuple[float, ...], ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of everything on which draws depend."""
        told = {name: value for name, value in self._record().items() if name not in ("provenance", "message")}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def as_values(self) -> dict[str, float]:
        """Point estimates and fixed values by parameter key.

        Returns
        -------
        dict
            Key to value, in the unit of the parameter.
        """
        return {**self.fixed, **dict(zip(self.keys, self.estimates, strict=True))}

    def bound_of(self, key: str) -> str:
        """Bound at which an estimate is; empty for none, and for parameters that were not estimated.

        Parameters
        ----------
        key
            Key of the parameter.
        """
        return dict(zip(self.keys, self.at_bound, strict=True)).get(key, "")

    def check_bounds(self, spec: ModelSpec) -> None:
        """Raise if estimates or draws are outside the declared bounds.

        Parameters
        ----------
        spec
            Declarations of the model.

        Raises
        ------
        InvalidInput
            If a value is outside its bounds.
        """
        rows = np.array([self.estimates, *self.draws])
        for key, column in zip(self.keys, rows.T, strict=True):
            if key not in spec.parameters:
                continue
            bounds = np.array([spec.parameters[key].lower, spec.parameters[key].upper])
            lower, upper = bounds + ROUNDING * np.abs(bounds) * (-1, 1)
            beyond = column[(column < lower) | (column > upper)]
            if beyond.size:
                raise InvalidInput(
                    "fitted parameters: {name!r} is {value:g}; its bounds are [{lower:g}, {upper:g}]: calibrate again",
                    name=key,
                    value=beyond[0],
                    lower=bounds[0],
                    upper=bounds[1],
                )

    def sample(self, rng: np.random.Generator, draws: int, *, spec: ModelSpec) -> dict[str, Array]:
        """Draw parameter vectors from the posterior sample if there is one, else from its normal approximation.

        The approximation is normal on the unconstrained scale and transformed back. Draws outside the declared bounds
        are rejected. With the same seed, more draws begin with the same ones.

        Parameters
        ----------
        rng
            Random number generator.
        draws
            Number of vectors, at least 1.
        spec
            Declarations of the model, for the scale of each parameter.

        Returns
        -------
        dict
            Parameter key to array of shape ``(draws,)``, in the unit of the parameter; a fixed value is the same in
            every draw.

        Raises
        ------
        InvalidInput
            If ``draws`` is below 1, a parameter has no prior and hence no scale, or too few normal draws are within
            the bounds.
        UnknownName
            If the model does not declare a parameter.
        """
        if draws < 1:
            raise InvalidInput("at least one draw is needed, found draws={draws}", draws=draws)
        priors = [_prior_of(key, spec) for key in self.keys]
        constant = {key: np.full(draws, value) for key, value in self.fixed.items()}
        if self.draws:
            rows = np.array(self.draws, dtype=float)[self._places(rng, draws)]
            return constant | {key: rows[:, column] for column, key in enumerate(self.keys)}
        unbounded = self._within_bounds(rng, draws, priors)
        return constant | {
            key: prior.from_unbounded(unbounded[:, column])
            for column, (key, prior) in enumerate(zip(self.keys, priors, strict=True))
        }

    def _places(self, rng: np.random.Generator, draws: int) -> Indices:
        """Row indices of the sample in random order, without repetition until all are used."""
        rounds = -(-draws // len(self.draws))
        return np.concatenate([rng.permutation(len(self.draws)) for _ in range(rounds)])[:draws]

    def walkers(self, parameters: Mapping[str, Array]) -> Indices:
        """Walker of the sampler from which each draw comes; draws of the same walker are correlated.

        Parameters
        ----------
        parameters
            Draws from `sample`.

        Returns
        -------
        ndarray
            Index of the walker, shape (draw,); different for each row if walkers are unknown.
        """
        if not self.draws:
            return np.arange(len(parameters[self.keys[0]]) if self.keys else 0)
        count = dict(self.provenance.get("sampling") or {}).get("walkers", len(self.draws))
        return np.asarray(self._rows(parameters) * count // len(self.draws))

    def densities(self, parameters: Mapping[str, Array]) -> dict[str, Array]:
        """Log densities of the data and of each measured effect, up to a constant, at draws from `sample`.

        Parameters
        ----------
        parameters
            Draws from `sample`.

        Returns
        -------
        dict
            ``"likelihood"`` and keys of evidence terms to values of shape (draw,), as far as they were kept.
        """
        kept = self.provenance.get(DENSITIES) or {}
        rows = self._rows(parameters) if self.draws and kept else np.zeros(0, dtype=np.intp)
        return {name: np.asarray(values, dtype=float)[rows] for name, values in kept.items()} if rows.size else {}

    def _rows(self, parameters: Mapping[str, Array]) -> Indices:
        """Row of the sample from which each draw comes."""
        places = {row: place for place, row in enumerate(self.draws)}
        return np.array([places[row] for row in zip(*(parameters[key].tolist() for key in self.keys), strict=True)])

    def _within_bounds(self, rng: np.random.Generator, draws: int, priors: Sequence[Prior]) -> Array:
        """Normal draws on the unconstrained scale, shape (draw, parameter): the first ones within all bounds."""
        centre = np.array([float(prior.to_unbounded(x)) for prior, x in zip(priors, self.estimates, strict=True)])
        lower, upper = np.array([prior.unbounded_bounds for prior in priors], dtype=float).reshape(-1, 2).T
        # Not Cholesky, since the covariance may be singular. The symmetric root does not depend on the arbitrary signs
        # and order of eigenvectors, so similar covariances give similar draws.
        variances, vectors = np.linalg.eigh(self._covariance_matrix())
        root = (vectors * np.sqrt(np.clip(variances, 0, None))) @ vectors.T
        kept = np.empty((0, len(self.keys)))
        for _ in range(-(-draws * MOST_TRIES // BLOCK)):
            # Blocks of a fixed size, because rounding in a matrix product depends on the shape of its factors.
            block = centre + rng.standard_normal((BLOCK, len(self.keys))) @ root
            kept = np.concatenate([kept, block[((block >= lower) & (block <= upper)).all(axis=1)]])
            if len(kept) >= draws:
                return kept[:draws]
        marked = [key for key, mark in zip(self.keys, self.at_bound, strict=True) if mark]
        raise InvalidInput(
            "only {kept} of {draws} draws were found: fewer than one in {tries} of the normal approximation lies "
            "within the declared bounds ({bounds}); sample the posterior instead (gapsim "
            "calibrate --sample)",
            kept=len(kept),
            draws=draws,
            tries=MOST_TRIES,
            bounds=Message("estimates on a bound: {marked}", marked=", ".join(marked))
            if marked
            else Message("estimates on a bound: none"),
        )

    def save(self, path: str | Path) -> Path:
        """Write the file atomically.

        Parameters
        ----------
        path
            A ``.json`` file.

        Returns
        -------
        Path
            ``path``.

        Raises
        ------
        InvalidInput
            If the provenance contains values that JSON cannot represent.
        OSError
            If the file cannot be written.
        """
        try:
            return write_record(path, nan_to_null(self._record()), schema=SCHEMA)
        except (TypeError, ValueError) as error:
            raise InvalidInput("fitted parameters cannot be written as JSON: {error}", error=error) from error

    def _record(self) -> Record:
        """Values by name of the field; `asdict` would copy every draw, number by number."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def _covariance_matrix(self) -> Array:
        return np.array(self.covariance, dtype=float).reshape(len(self.keys), len(self.keys))


def load_fitted(path: str | Path) -> FittedParameters:
    """Read a file written by `FittedParameters.save`, without loss of precision.

    Parameters
    ----------
    path
        A fitted-parameter file, schema 2, or the folder of a calibration or of results that holds one.

    Returns
    -------
    FittedParameters
        The saved parameters.

    Raises
    ------
    InvalidInput
        If the file is missing, is not JSON, has another schema, has missing or additional entries, or was changed after
        it was written.
    """
    path = _file_of(Path(path))
    if not path.exists():
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InvalidInput(
            "{path}: there is no such file or folder; give the folder that a calibration wrote, or the file of fitted "
            "parameters in it.{suggestion}",
            path=path,
            suggestion=suggest(path.name, beside),
        )
    content = read_record(path, schema=SCHEMA, what=Message("fitted parameters"), remedy=REMEDY, earlier=EARLIER)
    if content.pop("region_effects", None):
        raise InvalidInput("{path} holds effects of regions, which are no longer estimated; calibrate again", path=path)
    check_entries(FittedParameters, content, str(path), REMEDY)
    restored = {name: value if name == "provenance" else null_to_nan(value) for name, value in content.items()}
    return FittedParameters(**restored)


def _file_of(path: Path) -> Path:
    """Path of the file of a fit, given the file or its folder; in results, of the fit before it was reweighted."""
    places = [path / name for name in ("fitted_before.json", "fit/fitted.json", "fitted.json")]
    return next((file for file in places if file.is_file()), places[-1]) if path.is_dir() else path


def _prior_of(key: str, spec: ModelSpec) -> Prior:
    if key not in spec.parameters:
        raise UnknownName("the model declares no parameter {name!r}.{suggestion}", name=key, among=spec.parameters)
    prior = spec.parameters[key].prior
    if prior is None:
        raise InvalidInput("parameter {name!r} has no prior in model.toml, so no scale to draw it on", name=key)
    return prior
