"""Selective prediction on episodes that count several times, as they do in a bootstrap."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CHUNK = 100_000  # numbers held at a time: they stay in the cache


class Selective(NamedTuple):
    """Three summaries of how confidence orders right and wrong answers, [R] each.

    Attributes:
        aurc: as `selective.aurc`.
        augrc: as `selective.augrc`.
        auroc: as `separation.failure_auroc`; NaN where all answers are right, or all wrong.
    """

    aurc: FloatArray
    augrc: FloatArray
    auroc: FloatArray


def reweighted(
    scores: npt.NDArray[Any], correct: npt.NDArray[Any], weights: npt.NDArray[np.int64]
) -> Selective:
    """AURC, AUGRC and failure AUROC of the queries pooled, episode e taken weights[r, e] times.

    The queries are sorted once. A group of m queries of equal score that follows n queries with w
    errors adds sum_{j=1..m} (w + j q) / (n + j) = m q + (w - n q) (H_{n+m} - H_n) to the sum of
    risks, with q its own error rate and H the harmonic numbers; so the answer is that of the plain
    functions on the repeated queries, ties included.

    >>> scores, correct = np.array([[0.9, 0.8], [0.1, 0.5]]), np.array([[1, 0], [1, 1]])
    >>> found = reweighted(scores, correct, np.array([[1, 1], [2, 0]]))
    >>> found.aurc.round(3), found.augrc.round(3), found.auroc.round(3)
    (array([0.271, 0.208]), array([0.156, 0.125]), array([0.333, 1.   ]))

    Args:
        scores: higher is surer, [E, Q].
        correct: whether each answer is right, [E, Q].
        weights: how often each episode counts, [R, E]; every row has a positive sum.
    """
    flat = np.ravel(scores)
    order = np.argsort(-flat, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(flat[order]) != 0])
    owner, wrong = order // np.shape(scores)[1], ~np.ravel(correct).astype(bool)[order]
    largest = int(weights.sum(axis=1).max()) * np.shape(scores)[1]
    harmonic = np.r_[0.0, np.cumsum(1.0 / np.arange(1, largest + 1))]
    rows = max(1, CHUNK // flat.size)
    parts = []
    for first in range(0, len(weights), rows):
        taken = weights[first : first + rows, owner]
        size, errors = taken, taken * wrong
        if starts.size < flat.size:
            size, errors = (np.add.reduceat(group, starts, axis=1) for group in (size, errors))
        parts.append(_areas(size, errors, harmonic))
    return Selective(*np.concatenate(parts, axis=1))


def _areas(
    size: npt.NDArray[np.int64], errors: npt.NDArray[np.int64], harmonic: FloatArray
) -> FloatArray:
    """The three areas, [3, R], from groups of equal score, the surest first, [R, G]."""
    seen, failed = size.cumsum(axis=1), errors.cumsum(axis=1)
    before, failed_before = seen - size, failed - errors
    rate = errors / np.maximum(size, 1)
    total, failures = seen[:, -1], failed[:, -1]
    risks = errors + (failed_before - before * rate) * (harmonic[seen] - harmonic[before])
    joint = size * failed_before + rate * size * (size + 1) / 2
    wins = (size - errors) * (failures[:, None] - failed + errors / 2)
    pairs = (total - failures) * failures
    return np.stack(
        [
            risks.sum(axis=1) / total,
            (joint.sum(axis=1) - failures / 2) / total**2,
            np.where(pairs > 0, wins.sum(axis=1) / np.maximum(pairs, 1), np.nan),
        ]
    )
