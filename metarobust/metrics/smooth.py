"""Smooth calibration error: a calibration error without bins."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dct, idct

FloatArray = npt.NDArray[np.float64]

CELLS = 4096  # of the grid on [0, 1]
HALVINGS = 30


def smooth_ece(confidences: npt.NDArray[Any], correct: npt.NDArray[Any]) -> float:
    """SmECE, a calibration error that is continuous in the confidences, in [0, 1].

    Błasiok & Nakkiran 2024 (arXiv:2309.12236): residuals smoothed over the confidence c at scale
    s, smECE_s = integral of |1/n sum_i K_s(t, c_i) (a_i - c_i)| dt, taken at the one scale where
    smECE_s = s. K_s is the Gaussian reflected at 0 and 1, that is, the heat kernel of [0, 1]:
    cosine j of the residuals is multiplied by exp(-(pi j s)^2 / 2). Smoothing never raises the
    integral, so smECE_s - s decreases and bisection finds its root.

    Of few queries it is biased upwards like the ECE, though half as much: compare it with what
    calibrated outcomes would give.

    >>> c, a = np.full(1000, 0.8), np.arange(1000) < 600
    >>> round(smooth_ece(c, a), 3)
    0.2

    Args:
        confidences: of the predicted class, in [0, 1], any shape, at least one.
        correct: whether the prediction is right, the same shape.
    """
    wave = dct(_residuals(confidences, correct), norm="ortho")
    frequency = np.pi * np.arange(CELLS)

    def error(scale: float) -> float:
        return float(
            np.abs(idct(wave * np.exp(-((frequency * scale) ** 2) / 2), norm="ortho")).sum()
        )

    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if error(middle) > middle else (low, middle)
    return (low + high) / 2


def _residuals(confidences: npt.NDArray[Any], correct: npt.NDArray[Any]) -> FloatArray:
    """Residuals a - c over n, each shared by the two cells whose centres are nearest to c."""
    c = np.ravel(np.asarray(confidences, dtype=np.float64))
    residual = (np.ravel(correct) - c) / c.size
    place = np.clip(c * CELLS - 0.5, 0, CELLS - 1)
    left = np.minimum(place.astype(np.int64), CELLS - 2)
    right_share = place - left
    cells = np.zeros(CELLS)
    np.add.at(cells, left, residual * (1 - right_share))
    np.add.at(cells, left + 1, residual * right_share)
    return cells
