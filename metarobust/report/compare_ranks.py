"""The ranking of a comparison as it is shown: mean ranks and who is not told apart."""

from collections.abc import Sequence
from dataclasses import dataclass

from metarobust.audit.ranking import Ranking
from metarobust.report.text import listed, plain


@dataclass(frozen=True)
class RankView:
    """The ranking; `sentence` says the diagram in words, `reason` why there is none."""

    conditions: tuple[str, ...]
    ranks: tuple[float, ...]
    critical: float | None
    p_value: float | None
    groups: tuple[tuple[int, ...], ...]
    reason: str
    sentence: str


def build_ranks(ranking: Ranking, labels: Sequence[str]) -> RankView:
    """The ranking of the methods of these names, with its sentence."""
    order = sorted(range(len(ranking.ranks)), key=lambda i: ranking.ranks[i])
    words = ""
    if order:
        named = listed([f"{labels[i]} {ranking.ranks[i]:.2f}" for i in order])
        words = f"Mean rank over {len(ranking.conditions)} conditions, 1 is best: {named}. "
        alike = [listed([labels[i] for i in group]) for group in ranking.groups]
        words += f"Not told apart: {'; '.join(alike)}." if alike else "All of them are told apart."
    return RankView(
        conditions=tuple(plain(c, 80) for c in ranking.conditions),
        ranks=ranking.ranks,
        critical=ranking.critical,
        p_value=ranking.p_value,
        groups=ranking.groups,
        reason=ranking.reason,
        sentence=words,
    )
