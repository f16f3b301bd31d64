"""Small episodes, made of class patterns and noise."""

import torch

from metarobust.core.episode import Episode


def make_episode(
    seed: int = 0,
    *,
    ways: int = 3,
    shots: int = 2,
    queries: int = 2,
    attacker: int = 2,
    shape: tuple[int, ...] = (1, 16, 16),
    dtype: torch.dtype = torch.float32,
) -> Episode:
    """An episode of noisy class patterns: learnable, not trivial."""
    source = torch.Generator().manual_seed(seed)
    patterns = torch.rand(ways, *shape, generator=source)

    def draw(each: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(ways).repeat_interleave(each)
        noise = torch.rand(len(labels), *shape, generator=source)
        return (0.8 * patterns[labels] + 0.2 * noise).to(dtype), labels

    (sx, sy), (qx, qy), (ax, ay) = draw(shots), draw(queries), draw(attacker)
    ids = torch.arange(len(sy) + len(qy) + len(ay)) + 1000 * seed
    return Episode(
        support_x=sx,
        support_y=sy,
        query_x=qx,
        query_y=qy,
        attacker_x=ax,
        attacker_y=ay,
        support_ids=ids[: len(sy)],
        query_ids=ids[len(sy) : len(sy) + len(qy)],
        attacker_ids=ids[len(sy) + len(qy) :],
        class_ids=torch.arange(ways),
        number=torch.tensor(seed),
    )
