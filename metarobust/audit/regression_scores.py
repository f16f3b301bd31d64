"""The scores of a regression cell, each with its interval by episode, in place of accuracy."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import Measure, mean_score, missing
from metarobust.metrics.regression import gaussian_nll, half_widths, squared_error
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ratio_interval
from metarobust.stats.paired import paired_interval

LEVEL = 0.9
ANY, POSITIVE = (-math.inf, math.inf), (0.0, math.inf)

NOT_CLASSIFICATION = "a regression has no classes; see mse"
NOT_REGRESSION = "only a regression has this score"

FloatArray = npt.NDArray[np.float64]


def is_regression(cell: CellEvidence) -> bool:
    """Whether a cell's learner was asked for values, not classes."""
    return bool(cell.description.get("dataset", {}).get("task") == "regression")


def regression_scores(cell: CellEvidence, clean: CellEvidence | None) -> dict[str, Estimate]:
    """An `Estimate` for every one of `REGRESSION_MEASURES`.

    `mse` is in the square of the units of y; `mse_increase` is paired with the clean cell on the
    episodes that both have, and `mse_ratio` is over its mean. `nll` (nats), `coverage` (a share)
    and `width` (units of y) are of the predicted Gaussian and its central 90 % interval. A learner
    that predicts only means gets the noise that was fitted to its errors on clean meta-val
    episodes, and the method says so.

    Args:
        cell: at least one episode.
        clean: the clean cell of the same learner, if there is one.
    """
    found = {measure.key: mean_score(measure, cell) for measure in OF_DEVIATIONS}
    fitted = _fitted_noise(cell)
    if fitted is not None:
        note = f"with one noise of {fitted:g}, fitted on meta-val"
        found = {name: _noted(estimate, note) for name, estimate in found.items()}
    return {MSE.key: mean_score(MSE, cell), **_against_clean(cell, clean), **found}


def episode_errors(cell: CellEvidence) -> FloatArray:
    """The mean squared error of each evaluated episode, [E]."""
    return _by_episode(squared_error(_means(cell), cell.arrays["targets"]))


def _likelihoods(cell: CellEvidence) -> FloatArray:
    return _by_episode(gaussian_nll(_means(cell), _deviations(cell), cell.arrays["targets"]))


def _coverages(cell: CellEvidence) -> FloatArray:
    distances = np.abs(_means(cell) - cell.arrays["targets"])
    return _by_episode(distances <= half_widths(_deviations(cell), LEVEL))


def _widths(cell: CellEvidence) -> FloatArray:
    return _by_episode(2 * half_widths(_deviations(cell), LEVEL))


def _means(cell: CellEvidence) -> npt.NDArray[Any]:
    """The predicted values, [E, Q]."""
    means: npt.NDArray[Any] = cell.arrays["logits"][..., 0]
    return means


def _deviations(cell: CellEvidence) -> npt.NDArray[Any]:
    """The predicted standard deviations, [E, Q]: those that are stated, or one that was fitted."""
    if "deviations" in cell.arrays:
        return cell.arrays["deviations"]
    fitted = _fitted_noise(cell)
    if fitted is None:
        raise ValueError("the learner states no deviation")
    return np.full(_means(cell).shape, fitted)


def _fitted_noise(cell: CellEvidence) -> float | None:
    """The noise of a learner that states none; None where it states its own, or none was fitted."""
    noise: float | None = cell.description["learner"].get("noise")
    return None if "deviations" in cell.arrays else noise


def _by_episode(values: npt.NDArray[Any]) -> FloatArray:
    """The mean over the queries of each episode, [E, Q] to [E]."""
    means: FloatArray = values.mean(axis=-1)
    return means


MSE = Measure(
    "mse",
    "MSE",
    "number",
    False,
    "Mean squared error of the predicted values.",
    bounds=POSITIVE,
    counted_in="the square of the units of y",
    episodes=episode_errors,
)
AGAINST_CLEAN = (
    Measure(
        "mse_increase",
        "Increase",
        "number",
        False,
        "This error minus the clean one on the same episodes.",
        bounds=ANY,
        counted_in="the square of the units of y",
    ),
    Measure(
        "mse_ratio",
        "Ratio",
        "number",
        False,
        "This error over the clean one, of the means over episodes.",
        bounds=POSITIVE,
        counted_in="multiples of the clean error",
    ),
)
OF_INTERVALS = (
    Measure(
        "coverage",
        "Coverage",
        "share",
        True,
        "Share of true values inside the central 90% interval of the prediction; 90% is right.",
        episodes=_coverages,
    ),
    Measure(
        "width",
        "Width",
        "number",
        False,
        "Mean width of that interval.",
        bounds=POSITIVE,
        counted_in="the units of y",
        episodes=_widths,
    ),
)
OF_DEVIATIONS = (
    Measure(
        "nll",
        "NLL",
        "number",
        False,
        "Negative log-likelihood of the true values.",
        bounds=ANY,
        counted_in="nats",
        episodes=_likelihoods,
    ),
    *OF_INTERVALS,
)
REGRESSION_MEASURES = (MSE, *AGAINST_CLEAN, *OF_DEVIATIONS)
"""The scores of a regression, in table order."""

REGRESSION_BY_KEY = {measure.key: measure for measure in REGRESSION_MEASURES}


def _against_clean(cell: CellEvidence, clean: CellEvidence | None) -> dict[str, Estimate]:
    if clean is None or not clean.episodes:
        return missing(AGAINST_CLEAN, "this learner has no evaluated clean cell")
    _, ours, theirs = np.intersect1d(
        cell.arrays["number"], clean.arrays["number"], return_indices=True
    )
    if not ours.size:
        return missing(AGAINST_CLEAN, "no episode is shared with the clean cell")
    if not np.array_equal(cell.arrays["query_ids"][ours], clean.arrays["query_ids"][theirs]):
        return missing(AGAINST_CLEAN, "episodes of the same number differ in query_ids")
    after, before = episode_errors(cell)[ours], episode_errors(clean)[theirs]
    return {
        "mse_increase": paired_interval(after - before),
        "mse_ratio": ratio_interval(after, before, reference="clean mse", bounds=(0, math.inf)),
    }


def _noted(estimate: Estimate, note: str) -> Estimate:
    method = ", ".join(filter(None, (estimate.method, note)))
    return Estimate(estimate.value, estimate.low, estimate.high, estimate.reason, method)
