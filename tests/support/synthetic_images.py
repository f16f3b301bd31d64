"""Images of a made-up alphabet, clean and attacked."""

from functools import cache
from typing import Any

import numpy as np

WAYS, SHOTS, QUERIES, SIDE = 5, 5, 5, 28


def _glyph(rng: np.random.Generator) -> np.ndarray:
    """Control points [P, 2] of a stroke like those of an unknown alphabet."""
    return np.cumsum(rng.normal(0, 5.5, (6, 2)), 0)


def _drawn(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wobbly = points + rng.normal(0, 0.7, points.shape)
    fine = np.stack([np.interp(np.linspace(0, 5, 90), np.arange(6), axis) for axis in wobbly.T], 1)
    fine = (fine - fine.min(0)) / np.ptp(fine, 0).max() * 19 + 4
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1)
    distance = np.linalg.norm(grid[:, :, None] - fine, axis=-1).min(-1)
    return np.clip(1.6 - distance, 0, 1)[None].astype(np.float32)


@cache
def _clean_images() -> tuple[np.ndarray, np.ndarray]:
    shapes = [_glyph(np.random.default_rng(100 + way)) for way in range(WAYS)]
    rng = np.random.default_rng(5)
    support = np.stack([_drawn(shape, rng) for shape in shapes for _ in range(SHOTS)])
    query = np.stack([_drawn(shape, rng) for shape in shapes for _ in range(QUERIES)])
    return support, query


def picture(threat: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The picture of a cell's first episode, as `CellEvidence` holds it."""
    support, query = _clean_images()
    labels = np.repeat(np.arange(WAYS), SHOTS)
    given = labels.copy()
    attacked = {"support": support.copy(), "query": query.copy()}
    surface = threat["surface"]
    if threat["eps"]:
        signs = rng.choice((-1, 1), attacked[surface].shape) * threat["eps"]
        attacked[surface] = np.clip(attacked[surface] + signs, 0, 1).astype(np.float32)
    elif threat["severity"]:
        grain = rng.normal(0, 0.06 * threat["severity"], query.shape)
        attacked["query"] = np.clip(query + grain, 0, 1).astype(np.float32)
    elif threat["fraction"]:
        wrong = rng.random(len(labels)) < threat["fraction"]
        given = np.where(
            wrong, (labels + 1 + rng.integers(0, WAYS - 1, len(labels))) % WAYS, labels
        )
    return {
        "support_clean": support,
        "support": attacked["support"],
        "query_clean": query,
        "query": attacked["query"],
        "support_y": given,
        "support_true": labels,
    }
