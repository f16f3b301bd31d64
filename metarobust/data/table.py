"""Decoded images of many classes before the classes are split, free of repeated images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from metarobust.core.digest import digest_arrays, digest_json
from metarobust.core.errors import DataError
from metarobust.data.base import SPLITS, ClassSplits, Dataset, Images, Rows, Vectors, three_of


@dataclass(frozen=True, eq=False)
class ImageTable:
    """Images, their classes, and what is known of them before a split is chosen.

    Attributes:
        images: uint8 [n, C, H, W], or float32 [n, D] in [0, 1].
        labels: class of each image, int64 [n].
        class_names: one name per class.
        groups: one group per class, or None.
        parts: the part of the source that each class came from, or None.
        twins: rows (two or more, of different classes) whose images are equal, byte for byte.
        digest: SHA-256 of images and labels.
        info: JSON-ready provenance.
    """

    images: Images | Vectors
    labels: Rows
    class_names: tuple[str, ...]
    groups: tuple[str, ...] | None
    parts: tuple[str, ...] | None
    twins: tuple[tuple[int, ...], ...]
    digest: str
    info: dict[str, Any]

    def dataset(
        self, name: str, splits: ClassSplits, extra: Mapping[str, Any] | None = None
    ) -> Dataset:
        """The data set with these class splits.

        Args:
            name: what the data set is called.
            splits: class ids of `train`, `val`, `test`.
            extra: provenance of the split, added to `info`.

        Raises:
            DataError: an image appears in two splits, or a check of `Dataset` fails.
        """
        part_of = {c: part for part in SPLITS for c in splits[part]}
        leaks = []
        for rows in self.twins:
            classes = [int(c) for c in self.labels[list(rows)] if int(c) in part_of]
            if len({part_of[c] for c in classes}) > 1:
                leaks.append(
                    " = ".join(f"meta-{part_of[c]} {self.class_names[c]!r}" for c in classes)
                )
        if leaks:
            raise DataError(
                f"{name}: {len(leaks)} images appear in more than one split: {three_of(leaks)}; "
                "remove the copies"
            )
        listed = {part: list(splits[part]) for part in SPLITS}
        digest = digest_json([self.digest, self.class_names, self.groups, listed])
        counts = {f"{part}_classes": len(listed[part]) for part in SPLITS}
        return Dataset(
            name=name,
            images=self.images,
            labels=self.labels,
            class_names=self.class_names,
            groups=self.groups,
            splits=splits,
            digest=digest,
            info={**self.info, **counts, **(extra or {})},
        )


def make_table(
    images: Images | Vectors,
    labels: Rows,
    class_names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
    info: Mapping[str, Any] | None = None,
) -> ImageTable:
    """A table in which no class holds the same image twice.

    An image that repeats within its class could be support and query of one episode; only its
    first copy stays, and `info["repeats_dropped"]` says how many went.
    """
    copies: dict[bytes, list[int]] = {}
    keep: list[int] = []
    for row, image in enumerate(images):
        content = blake2b(image.tobytes(), digest_size=16).digest()
        earlier = copies.setdefault(content, [])
        if all(labels[keep[place]] != labels[row] for place in earlier):
            earlier.append(len(keep))
            keep.append(row)
    dropped = len(images) - len(keep)
    if dropped:
        images, labels = images[keep], labels[keep]
    labels = np.ascontiguousarray(labels, dtype=np.int64)
    return ImageTable(
        images=images if images.flags.c_contiguous else images.copy(),
        labels=labels,
        class_names=tuple(class_names),
        groups=None if groups is None else tuple(groups),
        parts=None if parts is None else tuple(parts),
        twins=tuple(tuple(places) for places in copies.values() if len(places) > 1),
        digest=digest_arrays({"images": images, "labels": labels}),
        info={**(info or {}), "repeats_dropped": dropped},
    )
