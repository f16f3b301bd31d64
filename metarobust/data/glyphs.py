"""Typeface letters of five scripts, the embedded data set: drawn once from matplotlib's fonts."""

import math
from collections import Counter
from pathlib import Path
from typing import Any
from unicodedata import name as unicode_name

import matplotlib
import numpy as np
import PIL
import torch
from PIL import features
from tqdm import tqdm

from metarobust.core.seeds import generator
from metarobust.data.base import ClassSplits, Dataset, Images
from metarobust.data.cache import cached_table
from metarobust.data.lookalikes import glyph_distances, keep_apart
from metarobust.data.registry import DATASETS
from metarobust.data.table import ImageTable, make_table
from metarobust.data.typefaces import CANVAS, FACES, Pose, Typeface, draw, letters

SAMPLES = 20
THRESHOLD = 0.10

_VERSION = 1
_SEED = 0
_LEAST_FACES = 8
_ROTATION = math.radians(10)
_SHEAR = 0.1
_SCALES = (0.85, 1.05)
_SHIFT = 2.0

# In order of preference: of two look-alikes the later script's letter goes, so that meta-train
# pays before meta-val, and meta-val before meta-test.
_SPLIT_OF = {
    "Armenian": "test",
    "Georgian": "test",
    "Greek": "val",
    "Latin": "train",
    "Cyrillic": "train",
}
_RULE = (
    "two letters are look-alikes when 1 - cosine similarity of their glyphs, the best over shifts "
    "of one pixel and the median over the faces that hold both, is below the threshold; of each "
    "pair the letter of meta-test stays before meta-val, before meta-train, and the lower code "
    "point before the higher"
)
_REASON = (
    "nine in ten pairs of faces draw one and the same letter further apart than this (10th "
    "percentile 0.10, median 0.21), so closer letters differ less than the typeface does"
)


@DATASETS.register("glyphs")
def glyphs(*, cache: str | Path | None = None) -> Dataset:
    """Letters of 14 typefaces: meta-train Latin and Cyrillic, val Greek, test Armenian, Georgian.

    uint8 [n, 1, 28, 28], ink 255 on 0; 20 samples per letter, each from one of the letter's 8 to
    14 faces in a seeded random pose. Classes are letters without a decomposition that at least 8
    faces hold; look-alikes within and across scripts are removed by the rule in
    `info["look_alikes"]`, so no two classes, of whatever splits, are nearer than its threshold.

    Args:
        cache: the cache folder, when not the default one. The first call builds it in seconds.

    Raises:
        DataError: the cache cannot be written.
    """
    versions = {
        "matplotlib": matplotlib.__version__,
        "pillow": PIL.__version__,
        "freetype": str(features.version("freetype2")),
    }
    key = {"loader": ["glyphs", _VERSION], **versions}
    table = cached_table("glyphs", key, lambda: _build(versions), cache)
    splits: ClassSplits = {
        part: tuple(c for c, script in enumerate(table.groups or ()) if _SPLIT_OF[script] == part)
        for part in ("train", "val", "test")
    }
    return table.dataset("glyphs", splits)


def _build(versions: dict[str, str]) -> ImageTable:
    faces = [Typeface(face) for face in FACES]
    found = letters(faces, tuple(_SPLIT_OF), _LEAST_FACES)
    characters = [letter for script in _SPLIT_OF for letter in found[script]]
    scripts = [script for script in _SPLIT_OF for _ in found[script]]
    upright, present = _upright(faces, characters)
    distance = glyph_distances(upright, present)
    kept, removed = keep_apart(distance, THRESHOLD)
    bar = tqdm(kept, desc="drawing glyphs", unit="letter", leave=False, disable=None)
    images = np.stack([_samples(faces, characters[letter], present[letter]) for letter in bar])
    among = distance[np.ix_(kept, kept)] + np.diag(np.full(len(kept), np.inf))
    before, after = Counter(scripts), Counter(scripts[letter] for letter in kept)
    pairs = sorted(removed, key=lambda letter: -distance[letter, removed[letter]])
    info: dict[str, Any] = {
        "polarity": "ink = 255 on 0",
        "faces": list(FACES),
        **versions,
        "samples_per_class": SAMPLES,
        "jitter": {
            "seed": _SEED,
            "rotation_degrees": round(math.degrees(_ROTATION)),
            "shear": _SHEAR,
            "scale": list(_SCALES),
            "shift_pixels": _SHIFT,
        },
        "look_alikes": {
            "rule": _RULE,
            "threshold": THRESHOLD,
            "reason": _REASON,
            "letters_before": dict(before),
            "letters_after": {script: after[script] for script in before},
            "nearest_pair_left": round(float(among.min()), 4),
            "examples": [
                f"{unicode_name(characters[gone])} ~ {unicode_name(characters[removed[gone]])}"
                for gone in pairs[:: max(1, len(pairs) // 8)][:8]
            ],
        },
    }
    return make_table(
        images.reshape(-1, 1, CANVAS, CANVAS),
        np.repeat(np.arange(len(kept), dtype=np.int64), SAMPLES),
        [unicode_name(characters[letter]) for letter in kept],
        groups=[scripts[letter] for letter in kept],
        info=info,
    )


def _upright(
    faces: list[Typeface], characters: list[str]
) -> tuple[Images, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Every letter in every face, unposed: uint8 [n, faces, 28, 28]; which exist: [n, faces]."""
    upright = np.zeros((len(characters), len(faces), CANVAS, CANVAS), np.uint8)
    present = np.zeros(upright.shape[:2], bool)
    bar = tqdm(characters, desc="comparing glyphs", unit="letter", leave=False, disable=None)
    for row, character in enumerate(bar):
        for column, face in enumerate(faces):
            ink = face.ink(character) if character in face else None
            if ink is not None:
                upright[row, column] = draw(ink, Pose())
                present[row, column] = True
    return upright, present


def _samples(
    faces: list[Typeface], character: str, present: np.ndarray[Any, np.dtype[np.bool_]]
) -> Images:
    """Posed samples of one letter, uint8 [20, 28, 28], its faces taken in turn."""
    draws = generator(_SEED, "glyphs", ord(character))
    order = torch.randperm(int(present.sum()), generator=draws).tolist()
    holders = [faces[column] for column in np.flatnonzero(present)]
    inks = [ink for i in order if (ink := holders[i].ink(character)) is not None]
    samples = np.empty((SAMPLES, CANVAS, CANVAS), np.uint8)
    for row, values in enumerate(torch.rand(SAMPLES, 5, generator=draws).tolist()):
        scale, rotation, shear, right, down = values
        pose = Pose(
            scale=_SCALES[0] + (_SCALES[1] - _SCALES[0]) * scale,
            rotation=_ROTATION * (2 * rotation - 1),
            shear=_SHEAR * (2 * shear - 1),
            right=2 * right - 1,
            down=2 * down - 1,
            room=_SHIFT,
        )
        samples[row] = draw(inks[row % len(inks)], pose)
    return samples
