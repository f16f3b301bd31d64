"""Letters too alike to be two classes: their distance, and whom to keep."""

import numpy as np
import numpy.typing as npt

from metarobust.data.base import Images

Distances = npt.NDArray[np.float64]


def glyph_distances(glyphs: Images, present: npt.NDArray[np.bool_]) -> Distances:
    """How far apart letters look: 0 for the same shape, 1 for shapes without common ink.

    Within one face the distance of two letters is 1 - max over shifts of their cosine, where one
    of them moves by at most one pixel each way; the distance is the median over the faces that
    hold both. Dot products of bytes are exact in float64, so the value does not depend on the
    order in which a BLAS adds.

    Args:
        glyphs: uint8 [letters, faces, H, W], with at least one pixel of empty border.
        present: which faces hold which letter, bool [letters, faces].

    Returns:
        float64 [letters, letters], symmetric; infinite where no face holds both.
    """
    count, faces = present.shape
    distance = np.full((faces, count, count), np.nan, np.float32)
    for face in range(faces):
        rows = np.flatnonzero(present[:, face])
        images = glyphs[rows, face].astype(np.float64)
        flat = images.reshape(len(rows), -1)
        squares = np.square(flat).sum(1)
        lengths = np.sqrt(np.outer(squares, squares))
        overlap = np.zeros((len(rows), len(rows)))
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                moved = np.roll(images, (down, right), axis=(1, 2)).reshape(len(rows), -1)
                np.maximum(overlap, flat @ moved.T, out=overlap)
        distance[face][np.ix_(rows, rows)] = 1 - overlap / lengths
    apart = ~(present.astype(np.int64) @ present.T.astype(np.int64)).astype(bool)
    distance[:, apart] = np.inf
    median: Distances = np.nanmedian(distance, axis=0).astype(np.float64)
    return median


def keep_apart(distance: Distances, threshold: float) -> tuple[list[int], dict[int, int]]:
    """Keep letters in order of preference, each only if it is far from all kept before it.

    Args:
        distance: [n, n], the letters in order of preference.
        threshold: any two letters that stay are at least this far apart.

    Returns:
        The letters that stay, ascending, and for each that goes the nearest one that stays.
    """
    kept: list[int] = []
    removed: dict[int, int] = {}
    for letter in range(len(distance)):
        nearest = kept[int(np.argmin(distance[letter, kept]))] if kept else None
        if nearest is not None and distance[letter, nearest] < threshold:
            removed[letter] = nearest
        else:
            kept.append(letter)
    return kept, removed
