"""Accuracy, and what a threat leaves of it, episode by episode."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Ratio(NamedTuple):
    """A ratio of two means over episodes, kept in parts so that its interval can be made.

    A ratio of means weighs each episode by its denominator; the mean of per-episode ratios would
    be undefined wherever one clean accuracy is 0.

    Attributes:
        numerator: float64 [E].
        denominator: float64 [E].
    """

    numerator: FloatArray
    denominator: FloatArray

    @property
    def value(self) -> float:
        """The mean numerator over the mean denominator.

        Raises:
            ValueError: there is no episode, or the mean denominator is not above 0.
        """
        reference = float(self.denominator.mean()) if self.denominator.size else 0.0
        if reference <= 0:
            raise ValueError(
                f"expected a mean denominator above 0 over at least one episode, got {reference:g} "
                f"over {self.denominator.size}; the ratio says nothing here"
            )
        return float(self.numerator.mean()) / reference


def accuracy(correct: npt.NDArray[np.bool_]) -> FloatArray:
    """The share of correct queries of each episode, in [0, 1].

    >>> accuracy(np.array([[True, True, False, True], [False, False, True, True]]))
    array([0.75, 0.5 ])

    Args:
        correct: whether each query was classified correctly, [E, Q] with Q >= 1.

    Returns:
        Float64 [E].
    """
    shares: FloatArray = np.asarray(correct).mean(axis=-1, dtype=np.float64)
    return shares


def drop_points(clean: FloatArray, attacked: FloatArray) -> FloatArray:
    """Accuracy lost in percentage points, in [-100, 100]; above 0 where the threat hurts.

    >>> drop_points(np.array([0.75, 0.5]), np.array([0.25, 0.5]))
    array([50.,  0.])

    Args:
        clean: clean accuracy of each episode, [E].
        attacked: accuracy of the same episodes under the threat, [E].

    Returns:
        Float64 [E].
    """
    return 100.0 * (np.asarray(clean, dtype=np.float64) - attacked)


def relative_drop(clean: FloatArray, attacked: FloatArray) -> Ratio:
    """The share of the clean accuracy that the threat takes: (clean - attacked) / clean, at most 1.

    The scale on which Oldewage, Bronskill & Turner 2021 report adversarial support poisoning.

    >>> round(relative_drop(np.array([0.75, 0.5]), np.array([0.25, 0.5])).value, 3)
    0.4

    Args:
        clean: clean accuracy of each episode, [E].
        attacked: accuracy of the same episodes under the threat, [E].
    """
    reference = np.asarray(clean, dtype=np.float64)
    return Ratio(reference - attacked, reference)


def retention(clean: FloatArray, attacked: FloatArray, ways: int) -> Ratio:
    """The share of the clean accuracy above chance that survives: (acc - 1/N) / (clean - 1/N).

    1 where nothing is lost, 0 where the learner is left guessing, negative where the threat
    drives it below chance. It is the ratio of two chance-corrected agreements (Cohen 1960, with
    chance 1/N), so that a 5-way and a 20-way protocol can be compared.

    >>> round(retention(np.array([0.9, 0.9]), np.array([0.9, 0.2]), ways=5).value, 3)
    0.5

    Args:
        clean: clean accuracy of each episode, [E].
        attacked: accuracy of the same episodes under the threat, [E].
        ways: the number of classes N of an episode.
    """
    chance = 1.0 / ways
    return Ratio(
        np.asarray(attacked, dtype=np.float64) - chance,
        np.asarray(clean, dtype=np.float64) - chance,
    )


def robust_given_correct(
    clean_correct: npt.NDArray[Any], attacked_correct: npt.NDArray[Any]
) -> Ratio:
    """Of the queries that are right when clean, the share still right under the threat, in [0, 1].

    Robust accuracy counts clean errors as errors; this does not (Wang et al. 2021, R-MAML, report
    it beside robust accuracy).

    >>> clean = np.array([[True, True, False, True], [True, False, False, True]])
    >>> attacked = np.array([[True, False, True, False], [True, False, False, True]])
    >>> robust_given_correct(clean, attacked).value
    0.6

    Args:
        clean_correct: whether each query is right when clean, bool [E, Q].
        attacked_correct: whether the same query is right under the threat, bool [E, Q].
    """
    return Ratio(accuracy(clean_correct & attacked_correct), accuracy(clean_correct))
