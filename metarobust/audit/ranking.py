"""Ranks of methods over threats, and which of them the threats cannot tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metarobust.audit.kinds import Kind
from metarobust.stats.ranks import (
    critical_difference,
    friedman_p_value,
    indistinct_groups,
    mean_ranks,
    wilcoxon_holm,
)

FEWEST = 5


@dataclass(frozen=True)
class Ranking:
    """Mean ranks over conditions: a condition is a recipe, averaged over its strengths.

    Strengths of one recipe repeat it, as episodes do, and would make any difference significant.
    The clean condition is no threat and is left out.

    Attributes:
        conditions: the recipes.
        ranks: mean rank of every method, 1 is best; empty if there is a reason.
        critical: difference of mean ranks from which two methods differ (Nemenyi).
        p_value: that no method ranks better than another: Friedman's test, or Wilcoxon's for two
            methods.
        groups: indices of methods that cannot be told apart, best first, one tuple per bar of the
            diagram.
        reason: why there is no ranking; else empty.
    """

    conditions: tuple[str, ...]
    ranks: tuple[float, ...] = ()
    critical: float | None = None
    p_value: float | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    reason: str = ""


def rank_methods(lines: Sequence[tuple[str, Kind, Sequence[float | None]]]) -> Ranking:
    """Rank methods by a score, higher being better: Friedman and Nemenyi.

    As in Demšar 2006, section 3.2.2.

    Args:
        lines: for every threat its recipe, its kind and the score of each method; a recipe that
            lacks any score is no condition.
    """
    recipes: dict[str, list[Sequence[float | None]]] = {}
    for recipe, kind, values in lines:
        if kind != "clean":
            recipes.setdefault(recipe, []).append(values)
    complete = {
        recipe: np.mean(np.array(values, dtype=np.float64), axis=0)
        for recipe, values in recipes.items()
        if all(value is not None for entry in values for value in entry)
    }
    conditions = tuple(complete)
    if len(complete) < FEWEST:
        return Ranking(
            conditions,
            reason=f"ranks need at least {FEWEST} conditions (recipes that every learner "
            f"finished), there {'is' if len(complete) == 1 else 'are'} {len(complete)}",
        )
    # Accuracies are means of whole counts: what differs by 1e-12 is rounding, and ties.
    scores = np.stack(list(complete.values())).round(12)
    learners = scores.shape[1]
    ranks = mean_ranks(scores)
    critical = critical_difference(learners, len(complete))
    p_value = friedman_p_value(scores) if learners > 2 else float(wilcoxon_holm(scores)[0, 1])
    distinct = np.abs(ranks[:, None] - ranks) >= critical
    return Ranking(
        conditions,
        tuple(ranks.tolist()),
        critical,
        p_value,
        indistinct_groups(ranks, distinct & (p_value <= 0.05)),
    )
