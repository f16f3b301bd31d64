"""The evidence of one block of episodes, as checked arrays and as safetensors bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from metarobust.core.errors import StoreError, did_you_mean

Array = npt.NDArray[Any]


class Layout(NamedTuple):
    """What an array must look like.

    Attributes:
        dtype: how it is stored; other numbers of the same kind are converted.
        axes: named axes; equal names have equal sizes within a block, and `...` stands for the
            shape of one input.
    """

    dtype: npt.DTypeLike
    axes: str


ARRAYS: Mapping[str, Layout] = {
    "logits": Layout(np.float32, "E Q N"),
    "labels": Layout(np.int64, "E Q"),
    "class_ids": Layout(np.int64, "E N"),
    "query_ids": Layout(np.int64, "E Q"),
    "support_ids": Layout(np.int64, "E S"),
    "number": Layout(np.int64, "E"),
    "budget_used": Layout(np.float64, "E"),
    "changed": Layout(np.float64, "E"),
    "gradient_calls": Layout(np.int64, "E"),
    "zero_gradients": Layout(np.float64, "E"),
    "objective_start": Layout(np.float64, "E"),
    "objective_end": Layout(np.float64, "E"),
    "attacker_correct": Layout(np.float64, "E"),
}

OPTIONAL: Mapping[str, Layout] = {
    "radius": Layout(np.float64, "E Q"),
    "late_improvement": Layout(np.float64, "E"),
    "silent_success": Layout(np.float64, "E"),
    "restart_spread": Layout(np.float64, "E"),
    "certified_poison": Layout(np.float64, "E Q"),
    "certified_radius": Layout(np.float64, "E Q"),
    "backdoor_target": Layout(np.int64, "E"),
    "backdoor_prediction": Layout(np.int64, "E Q"),
    "trigger_prediction": Layout(np.int64, "E Q"),
    "distractor_logits": Layout(np.float32, "E D N"),
    "distractor_ids": Layout(np.int64, "E D"),
    "explanation_rank": Layout(np.float64, "E Q"),
    "explanation_overlap": Layout(np.float64, "E Q"),
    "targets": Layout(np.float64, "E Q"),
    "deviations": Layout(np.float64, "E Q"),
}
"""Arrays that only some cells have: its blocks have all of them, or none."""

PICTURE: Mapping[str, Layout] = {
    "support_clean": Layout(np.float32, "S ..."),
    "support": Layout(np.float32, "S ..."),
    "query_clean": Layout(np.float32, "Q ..."),
    "query": Layout(np.float32, "Q ..."),
    "support_y": Layout(np.int64, "S"),
    "support_true": Layout(np.int64, "S"),
}

FUNCTION_PICTURE: Mapping[str, Layout] = {
    **{name: layout for name, layout in PICTURE.items() if layout.axes.endswith("...")},
    "support_values": Layout(np.float64, "S"),
    "function_x": Layout(np.float32, "P ..."),
    "function_y": Layout(np.float64, "P"),
}
"""The picture of a regression: values instead of labels, and the points of its function."""


@dataclass(frozen=True)
class BlockEvidence:
    """What was measured on one block of E episodes of a cell.

    Attributes:
        arrays: the arrays of `ARRAYS`, all of them, and any of `OPTIONAL`, each with a leading
            episode axis.
        picture: the arrays of `PICTURE`, or of `FUNCTION_PICTURE`, for the first episode of the
            block: all, or none.
        extras: finite scalars measured once for the cell, by name.
    """

    arrays: Mapping[str, Array]
    picture: Mapping[str, Array] = field(default_factory=dict)
    extras: Mapping[str, float] = field(default_factory=dict)


def encode(evidence: BlockEvidence) -> bytes:
    """The safetensors bytes of a block: the same evidence always gives the same bytes.

    Pictures are named `picture.NAME`; extras are named `extra.NAME` and have shape [1].

    Raises:
        StoreError: a name is missing or unknown, a shape or a kind of number does not fit its
            layout, or a value is NaN or infinite; the message names the array.
    """
    evidence = _checked(evidence)
    tensors = dict(evidence.arrays)
    tensors |= {f"picture.{name}": array for name, array in evidence.picture.items()}
    tensors |= {f"extra.{name}": np.array([value]) for name, value in evidence.extras.items()}
    return safetensors.save(tensors)


def decode(payload: bytes) -> BlockEvidence:
    """The evidence of a block, from what `encode` made.

    Raises:
        StoreError: the bytes are damaged, or hold something else than a block's evidence.
    """
    try:
        tensors = safetensors.load(payload)
    except (SafetensorError, KeyError, ValueError, TypeError) as problem:
        raise StoreError(
            f"expected a block in safetensors format, got damage ({problem})"
        ) from None
    parts: dict[str, dict[str, Array]] = {"": {}, "picture": {}, "extra": {}}
    for name, array in tensors.items():
        kind, dot, rest = name.partition(".")
        part, key = (kind, rest) if dot and kind in parts else ("", name)
        parts[part][key] = array
    for name, array in parts["extra"].items():
        if array.shape != (1,):
            raise StoreError(f"extra.{name}: expected shape [1], got {list(array.shape)}")
    extras = {name: float(array[0]) for name, array in parts["extra"].items()}
    return _checked(BlockEvidence(parts[""], parts["picture"], extras))


def _checked(evidence: BlockEvidence) -> BlockEvidence:
    """The evidence with every array in its layout's dtype, or an error that names the array."""
    _check_names(evidence.arrays, ARRAYS, OPTIONAL)
    pictured = FUNCTION_PICTURE if "function_x" in evidence.picture else PICTURE
    if evidence.picture:
        _check_names(evidence.picture, pictured)
    sizes: dict[str, Any] = {}
    layouts = {**ARRAYS, **OPTIONAL}
    given = [name for name in layouts if name in evidence.arrays]
    arrays = {n: _fitted(n, evidence.arrays[n], layouts[n], sizes) for n in given}
    picture = {
        n: _fitted(f"picture.{n}", evidence.picture[n], pictured[n], sizes)
        for n in pictured
        if n in evidence.picture
    }
    for name, value in evidence.extras.items():
        _check_finite(f"extra.{name}", np.array([value], dtype=np.float64))
    if sizes["E"] == 0:
        raise StoreError("expected a block of at least one episode, got none")
    return BlockEvidence(arrays, picture, {n: float(v) for n, v in evidence.extras.items()})


def _check_names(
    given: Mapping[str, Array],
    layouts: Mapping[str, Layout],
    optional: Mapping[str, Layout] | None = None,
) -> None:
    known = {**layouts, **(optional or {})}
    if unknown := sorted(set(given) - set(known)):
        hint = did_you_mean(unknown[0], known)
        raise StoreError(f"a block holds no array '{unknown[0]}': {hint}")
    if missing := sorted(set(layouts) - set(given)):
        raise StoreError(f"a block needs the arrays {', '.join(missing)}, which did not come")


def _fitted(name: str, array: Array, layout: Layout, sizes: dict[str, Any]) -> Array:
    """The array in its layout; `sizes` remembers the axes bound so far and gains new ones."""
    array = np.asarray(array)
    if not np.can_cast(array.dtype, layout.dtype, "same_kind"):
        raise StoreError(f"{name}: expected {np.dtype(layout.dtype)} values, got {array.dtype}")
    axes = layout.axes.split()
    shape: tuple[Any, ...] = array.shape
    if axes[-1] == "...":
        shape = (*shape[: len(axes) - 1], shape[len(axes) - 1 :])
    expected = tuple(sizes.setdefault(axis, size) for axis, size in zip(axes, shape, strict=False))
    if len(shape) != len(axes) or shape != expected:
        known = ", ".join(f"{axis} = {sizes[axis]}" for axis in axes if axis in sizes)
        raise StoreError(
            f"{name}: expected shape [{', '.join(axes)}] with {known}, got {list(array.shape)}"
        )
    with np.errstate(over="ignore"):
        fitted = np.asarray(array, dtype=layout.dtype, order="C")
    _check_finite(name, fitted)
    return fitted


def _check_finite(name: str, array: Array) -> None:
    if bad := int(np.count_nonzero(~np.isfinite(array))):
        raise StoreError(
            f"{name}: expected finite numbers, got {bad} of {array.size} that are NaN or "
            "infinite; the learner or the attack diverged"
        )
