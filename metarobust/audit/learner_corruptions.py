"""Corruption errors of a learner relative to a reference learner of the same run."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.grids import first_clean, shared_accuracies, strength_grids
from metarobust.audit.learner_measure import LearnerScore
from metarobust.metrics.accuracy import Ratio
from metarobust.metrics.corruption import corruption_error, relative_corruption_error
from metarobust.stats.estimate import Estimate
from metarobust.stats.intervals import ratio_interval
from metarobust.stats.resamples import EpisodeResamples


def score_corruptions(
    label: str,
    cells: Sequence[CellEvidence],
    reference: str,
    others: Sequence[CellEvidence],
    seed: int,
) -> list[LearnerScore]:
    """The mCE and the relative mCE of a learner, for the corruptions of each surface.

    Args:
        label: label of the learner.
        cells: its cells.
        reference: label of the reference learner.
        others: the cells of that one.
        seed: of the resamples.
    """
    clean = first_clean(cells), first_clean(others)
    ours, theirs = _corruptions(cells), _corruptions(others)
    found = []
    for surface, grids in ours.items():
        of = f"{len(grids)} corruption{'s' * (len(grids) > 1)} on the {surface}"
        if None in clean or theirs.get(surface, {}).keys() != grids.keys():
            why = f"{label} and {reference} did not meet the same corruptions, and clean episodes"
            both = (Estimate(None, reason=why),) * 2
        else:
            pairs = [(grid, theirs[surface][key]) for key, grid in grids.items()]
            both = _corruption_errors([c for c in clean if c is not None], pairs, seed)
        found += [
            LearnerScore(label, key, of, estimate, reference)
            for key, estimate in zip(("mce", "relative_mce"), both, strict=True)
        ]
    return found


def _corruptions(
    cells: Iterable[CellEvidence],
) -> dict[str, dict[tuple[str, str], list[CellEvidence]]]:
    """The corruptions of each surface, each with its severities."""
    by_surface: dict[str, dict[tuple[str, str], list[CellEvidence]]] = {}
    for key, grid in strength_grids(cells).items():
        facts = grid[0].threat
        if facts["family"] == "corruption":
            by_surface.setdefault(str(facts["surface"]), {})[key] = grid
    return by_surface


def _corruption_errors(
    clean: Sequence[CellEvidence],
    pairs: Sequence[tuple[list[CellEvidence], list[CellEvidence]]],
    seed: int,
) -> tuple[Estimate, Estimate]:
    """The mCE and the relative mCE, from the clean cells and the cells of each corruption."""
    flat = [cell for pair in pairs for grid in pair for cell in grid]
    try:
        errors = 1.0 - shared_accuracies([*clean, *flat])
    except ValueError as problem:
        return (Estimate(None, reason=str(problem)),) * 2
    own_clean, their_clean = errors[:, 0], errors[:, 1]
    plain, relative, place = {}, {}, 2
    for ours, theirs in pairs:
        name = ours[0].threat["name"]
        middle, end = place + len(ours), place + len(ours) + len(theirs)
        mine, other = errors[:, place:middle], errors[:, middle:end]
        plain[f"the reference's error under {name}"] = corruption_error(mine, other)
        relative[f"what {name} adds to the reference's error"] = relative_corruption_error(
            mine, own_clean, other, their_clean
        )
        place = end
    return _mean_ratio(plain, 0.0, seed), _mean_ratio(relative, -np.inf, seed)


def _mean_ratio(ratios: Mapping[str, Ratio], lowest: float, seed: int) -> Estimate:
    """The mean of several ratios, resampled together; none of them may be a ratio to nothing."""
    for reference, ratio in ratios.items():
        estimate = ratio_interval(*ratio, reference=reference)
        if estimate.value is None:
            return estimate
    above = np.stack([ratio.numerator for ratio in ratios.values()], axis=-1)
    below = np.stack([ratio.denominator for ratio in ratios.values()], axis=-1)
    resamples = EpisodeResamples.draw(len(above), np.random.default_rng(seed))
    weights = resamples.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        means = ((weights @ above) / (weights @ below)).mean(axis=-1)
    return resamples.estimate(means, bounds=(lowest, np.inf))
