"""The data set: inputs of many classes, split disjointly into meta-train, meta-val, meta-test."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from metarobust.core.errors import DataError

SPLITS = ("train", "val", "test")

Images = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]
Task = Literal["classification", "regression"]
Rows = npt.NDArray[np.int64]
ClassSplits = Mapping[str, tuple[int, ...]]


def three_of(items: Iterable[object]) -> str:
    """At most three examples, then how many more there are.

    >>> three_of(["a", "b", "c", "d", "e"])
    'a, b, c (and 2 more)'
    """
    listed = [str(item) for item in items]
    more = f" (and {len(listed) - 3} more)" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images, vectors or points of functions, by class, with their provenance.

    Attributes:
        name: what the data set is called.
        images: the inputs, [n, *input]: uint8, pictures as [n, C, H, W], possibly memory-mapped; or
            float32 in [0, 1], vectors as [n, D].
        labels: class of each image, int64 [n] in [0, classes); every class has an image. Where
            there are targets a class is a function.
        class_names: one distinct name per class.
        groups: an alphabet, script or super-class per class; None where there is none.
        splits: class ids of `train`, `val` and `test`; disjoint, possibly empty.
        digest: SHA-256 of everything an episode depends on (images, labels, names, splits).
        info: JSON-ready provenance: polarity, sizes, versions, what was removed and why.
        targets: the value of its function at each input, float32 [n]; None for classification.

    Raises:
        DataError: one of the statements above does not hold; three examples are named.
    """

    name: str
    images: Images | Vectors
    labels: Rows
    class_names: tuple[str, ...]
    groups: tuple[str, ...] | None
    splits: ClassSplits
    digest: str
    info: dict[str, Any] = field(default_factory=dict)
    targets: Vectors | None = None

    def __post_init__(self) -> None:
        self._check_arrays()
        self._check_classes()
        self._check_splits()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (C, H, W) for pictures."""
        return tuple(self.images.shape[1:])

    @property
    def task(self) -> Task:
        """What a learner is asked for: the class of an input, or the value of a function there."""
        return "classification" if self.targets is None else "regression"

    def inputs(self, rows: npt.NDArray[Any]) -> Vectors:
        """Some inputs as a learner sees them, float32 [len(rows), *input] in [0, 1]."""
        chosen = np.asarray(self.images[rows])
        values: Vectors = chosen.astype(np.float32, copy=False)
        return np.divide(values, np.float32(255)) if chosen.dtype == np.uint8 else values

    @cached_property
    def class_rows(self) -> tuple[Rows, ...]:
        """Rows of `images` that belong to each class, ascending, one int64 array per class."""
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(np.bincount(self.labels, minlength=len(self.class_names)))
        return tuple(np.split(order, ends[:-1]))

    def groups_of(self, split: str) -> dict[str, list[int]]:
        """The classes of a split by group; empty where the data set has no groups."""
        members: dict[str, list[int]] = {}
        if self.groups is not None:
            for c in self.splits[split]:
                members.setdefault(self.groups[c], []).append(c)
        return members

    def _check_arrays(self) -> None:
        if self.images.dtype not in (np.uint8, np.float32) or self.images.ndim < 2:
            raise DataError(
                f"{self.name}: expected images uint8 [n, ...] in 0 to 255, or float32 in [0, 1], "
                f"got {self.images.dtype} {list(self.images.shape)}; scale them first"
            )
        if not len(self.images):
            raise DataError(f"{self.name}: expected images, got none")
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"{self.name}: expected labels int64 [{len(self.images)}], one per image, got "
                f"{self.labels.dtype} {list(self.labels.shape)}"
            )
        if self.images.dtype == np.float32:
            outside = int(np.count_nonzero(~((self.images >= 0) & (self.images <= 1))))
            if outside:
                raise DataError(
                    f"{self.name}: expected float32 values in [0, 1], got {outside} others; scale "
                    "them first"
                )
        if self.targets is not None and (
            self.targets.dtype != np.float32
            or self.targets.shape != self.labels.shape
            or not np.isfinite(self.targets).all()
        ):
            raise DataError(
                f"{self.name}: expected finite targets float32 [{len(self.images)}], one per "
                f"input, got {self.targets.dtype} {list(self.targets.shape)}"
            )

    def _check_classes(self) -> None:
        count = len(self.class_names)
        outside = np.flatnonzero((self.labels < 0) | (self.labels >= count))
        if len(outside):
            examples = three_of(f"label {self.labels[row]} of image {row}" for row in outside)
            raise DataError(f"{self.name}: labels must lie in 0 to {count - 1}: {examples}")
        empty = np.flatnonzero(np.bincount(self.labels, minlength=count) == 0)
        if len(empty):
            examples = three_of(repr(self.class_names[c]) for c in empty)
            raise DataError(f"{self.name}: classes without a single image: {examples}")
        repeated = [repr(name) for name, n in Counter(self.class_names).items() if n > 1]
        if repeated:
            raise DataError(f"{self.name}: two classes share a name: {three_of(repeated)}")
        if self.groups is not None and len(self.groups) != count:
            raise DataError(f"{self.name}: {len(self.groups)} groups for {count} classes")

    def _check_splits(self) -> None:
        if set(self.splits) != set(SPLITS):
            raise DataError(
                f"{self.name}: expected the splits train, val and test, got {sorted(self.splits)}"
            )
        owner: dict[int, str] = {}
        shared = []
        for part in SPLITS:
            for c in self.splits[part]:
                if not 0 <= c < len(self.class_names):
                    raise DataError(
                        f"{self.name}: meta-{part} names class {c}, but there are "
                        f"{len(self.class_names)} classes"
                    )
                if c in owner:
                    shared.append(f"{self.class_names[c]!r} (meta-{owner[c]} and meta-{part})")
                owner[c] = part
        if shared:
            raise DataError(
                f"{self.name}: each class may be listed once, in one split: {three_of(shared)}"
            )
