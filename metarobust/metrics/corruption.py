"""Corruption errors against a reference learner, in the manner of ImageNet-C."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.metrics.accuracy import Ratio

FloatArray = npt.NDArray[np.float64]


def corruption_error(errors: npt.NDArray[Any], reference: npt.NDArray[Any]) -> Ratio:
    """CE, the error under a corruption over that of a reference learner on the same episodes.

    CE_c = sum_s E_sc / sum_s E_sc^ref: Hendrycks & Dietterich 2019, section 4. 1 is as bad as the
    reference (papers print 100 times it, with AlexNet for reference). An easy corruption weighs as
    much as a hard one then, which the plain mean accuracy over corruptions does not do.

    >>> round(corruption_error(np.array([[0.1, 0.3]]), np.array([[0.3, 0.5]])).value, 3)
    0.5

    Args:
        errors: 1 - accuracy at each severity, [E, S].
        reference: the same of the reference learner, [E, S].
    """
    return Ratio(_mean(errors), _mean(reference))


def relative_corruption_error(
    errors: npt.NDArray[Any],
    clean: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    reference_clean: npt.NDArray[Any],
) -> Ratio:
    """Relative CE, the error that a corruption adds over that which it adds to the reference.

    sum_s (E_sc - E_clean) / sum_s (E_sc^ref - E_clean^ref): Hendrycks & Dietterich 2019, section
    4. A learner that is bad already has less to lose, so read it beside CE. It says nothing where
    the corruption does not hurt the reference: take its interval from Fieller, which then refuses.

    >>> added = relative_corruption_error(
    ...     np.array([[0.1, 0.3]]), np.array([0.1]), np.array([[0.3, 0.5]]), np.array([0.2])
    ... )
    >>> round(added.value, 3)
    0.5

    Args:
        errors: 1 - accuracy at each severity, [E, S].
        clean: 1 - clean accuracy, [E].
        reference: as `errors`, of the reference learner, [E, S].
        reference_clean: as `clean`, of the reference learner, [E].
    """
    return Ratio(_mean(errors) - clean, _mean(reference) - reference_clean)


def mean_corruption_error(errors: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """MCE, the mean of CE over corruptions (Hendrycks & Dietterich 2019).

    >>> errors, reference = np.array([[[0.1], [0.2]]]), np.array([[[0.2], [0.8]]])
    >>> round(mean_corruption_error(errors, reference), 3)
    0.375

    Args:
        errors: 1 - accuracy for each corruption and severity, [E, C, S].
        reference: the same of the reference learner, [E, C, S].

    Raises:
        ValueError: the reference makes no error under some corruption.
    """
    pairs = zip(_each(errors), _each(reference), strict=True)
    return float(np.mean([corruption_error(ours, theirs).value for ours, theirs in pairs]))


def relative_mean_corruption_error(
    errors: npt.NDArray[Any],
    clean: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    reference_clean: npt.NDArray[Any],
) -> float:
    """Relative mCE, the mean of relative CE over corruptions (Hendrycks & Dietterich 2019).

    >>> errors, reference = np.array([[[0.1], [0.2]]]), np.array([[[0.2], [0.8]]])
    >>> clean = np.array([0.1])
    >>> round(relative_mean_corruption_error(errors, clean, reference, clean), 3)
    0.071

    Args:
        errors: 1 - accuracy for each corruption and severity, [E, C, S].
        clean: 1 - clean accuracy, [E].
        reference: as `errors`, of the reference learner, [E, C, S].
        reference_clean: as `clean`, of the reference learner, [E].

    Raises:
        ValueError: some corruption adds no error to the reference.
    """
    pairs = zip(_each(errors), _each(reference), strict=True)
    ratios = [
        relative_corruption_error(ours, clean, theirs, reference_clean).value
        for ours, theirs in pairs
    ]
    return float(np.mean(ratios))


def _mean(errors: npt.NDArray[Any]) -> FloatArray:
    over: FloatArray = np.asarray(errors, dtype=np.float64).mean(axis=-1)
    return over


def _each(errors: npt.NDArray[Any]) -> Iterator[FloatArray]:
    yield from np.moveaxis(np.asarray(errors, dtype=np.float64), 1, 0)
