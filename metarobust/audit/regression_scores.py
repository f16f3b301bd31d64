"""The scores of a regression cell, each with its interval by episode, in place of accuracy."""

import math

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.measure import Measure, missing
from metarobust.metrics.regression import gaussian_nll, half_widths, squared_error
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ratio_interval, t_interval
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
    errors = episode_errors(cell)
    scores = {"mse": t_interval(errors, bounds=(0, math.inf)), **_against_clean(cell, clean)}
    means, targets = cell.arrays["logits"][..., 0], cell.arrays["targets"]
    stated = cell.arrays.get("deviations")
    fitted = cell.description["learner"].get("noise")
    if stated is None and fitted is None:
        return scores | missing(OF_DEVIATIONS, "the learner states no deviation")
    deviations = np.full(means.shape, fitted) if stated is None else stated
    reach = half_widths(deviations, LEVEL)
    inside = np.abs(means - targets) <= reach
    likelihood = gaussian_nll(means, deviations, targets)
    found = {
        "nll": t_interval(likelihood.mean(axis=-1)),
        "coverage": t_interval(inside.mean(axis=-1), bounds=(0, 1)),
        "width": t_interval(2 * reach.mean(axis=-1), bounds=(0, math.inf)),
    }
    if stated is None:
        note = f"with one noise of {fitted:g}, fitted on meta-val"
        found = {name: _noted(estimate, note) for name, estimate in found.items()}
    return scores | found


def episode_errors(cell: CellEvidence) -> FloatArray:
    """The mean squared error of each evaluated episode, [E]."""
    errors = squared_error(cell.arrays["logits"][..., 0], cell.arrays["targets"])
    means: FloatArray = errors.mean(axis=-1)
    return means


OF_ERRORS = (
    Measure(
        "mse",
        "MSE",
        "number",
        False,
        "Mean squared error of the predicted values.",
        bounds=POSITIVE,
        counted_in="the square of the units of y",
        episodes=episode_errors,
    ),
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
OF_DEVIATIONS = (
    Measure(
        "nll",
        "NLL",
        "number",
        False,
        "Negative log-likelihood of the true values.",
        bounds=ANY,
        counted_in="nats",
    ),
    Measure(
        "coverage",
        "Coverage",
        "share",
        True,
        "Share of true values inside the central 90% interval of the prediction; 90% is right.",
    ),
    Measure(
        "width",
        "Width",
        "number",
        False,
        "Mean width of that interval.",
        bounds=POSITIVE,
        counted_in="the units of y",
    ),
)
REGRESSION_MEASURES = (*OF_ERRORS, *AGAINST_CLEAN, *OF_DEVIATIONS)
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
