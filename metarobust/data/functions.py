"""Families of functions to be regressed from a few points: sinusoids and lines."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from metarobust.core.digest import digest_arrays, digest_json
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import generator
from metarobust.data.base import SPLITS, Dataset
from metarobust.data.registry import DATASETS

X_RANGE = (-5.0, 5.0)
AMPLITUDES, PHASES = (0.1, 5.0), (0.0, math.pi)
SLOPES, INTERCEPTS = (-2.0, 2.0), (-2.0, 2.0)

Ranges = Mapping[str, tuple[float, float]]
Rule = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The two parameters of each function [n, 1], and points x [n, points], to values [n, points]."""


@DATASETS.register("sinusoid")
def sinusoid(
    *,
    functions: Sequence[int] = (4000, 200, 1000),
    points: int = 60,
    noise: float = 0.0,
    draw_seed: int = 0,
) -> Dataset:
    """Sinusoids y = a sin(x - p) (Finn, Abbeel & Levine 2017, section 5.1).

    Amplitudes a are uniform in [0.1, 5], phases p in [0, pi], and x in [-5, 5], which a learner
    sees scaled to [0, 1]: an eps of 0.01 is 0.1 in x.

    Args:
        functions: how many are meta-train, meta-val and meta-test.
        points: drawn from each function, at least 2; episodes choose among them.
        noise: standard deviation of what is added to y.
        draw_seed: root of the draws.

    Raises:
        ConfigError: a number is out of range.
    """
    ranges = {"amplitude": AMPLITUDES, "phase": PHASES}
    return _family("sinusoid", ranges, _wave, functions, points, noise, draw_seed)


@DATASETS.register("linear")
def linear(
    *,
    functions: Sequence[int] = (4000, 200, 1000),
    points: int = 60,
    noise: float = 0.0,
    draw_seed: int = 0,
) -> Dataset:
    """Lines y = a x + b, slopes and intercepts uniform in [-2, 2].

    x is uniform in [-5, 5], which a learner sees scaled to [0, 1]: an eps of 0.01 is 0.1 in x.

    Args:
        functions: how many are meta-train, meta-val and meta-test.
        points: drawn from each function, at least 2; episodes choose among them.
        noise: standard deviation of what is added to y.
        draw_seed: root of the draws.

    Raises:
        ConfigError: a number is out of range.
    """
    ranges = {"slope": SLOPES, "intercept": INTERCEPTS}
    return _family("linear", ranges, _line, functions, points, noise, draw_seed)


def _wave(amplitude: Tensor, phase: Tensor, x: Tensor) -> Tensor:
    return amplitude * torch.sin(x - phase)


def _line(slope: Tensor, intercept: Tensor, x: Tensor) -> Tensor:
    return slope * x + intercept


def _family(
    name: str,
    ranges: Ranges,
    rule: Rule,
    functions: Sequence[int],
    points: int,
    noise: float,
    seed: int,
) -> Dataset:
    counts = [_count(value) for value in functions]
    if len(counts) != len(SPLITS) or points < 2 or not 0 <= noise < math.inf:
        raise ConfigError(
            f"data set {name}: expected three numbers of functions, at least 2 points and a noise "
            f"of at least 0, got {list(functions)}, {points} and {noise:g}"
        )
    drawn = [
        _draw(name, part, count, ranges, rule, points, noise, seed)
        for part, count in zip(SPLITS, counts, strict=True)
    ]
    inputs, values = (torch.cat(column).reshape(-1).numpy() for column in zip(*drawn, strict=True))
    labels = np.repeat(np.arange(sum(counts)), points)
    ends = np.cumsum([0, *counts])
    splits = {part: tuple(range(ends[i], ends[i + 1])) for i, part in enumerate(SPLITS)}
    low, high = X_RANGE
    content = digest_arrays({"images": inputs, "labels": labels, "targets": values})
    return Dataset(
        name=name,
        images=inputs[:, None],
        labels=labels,
        class_names=tuple(f"{name} {i}" for i in range(sum(counts))),
        groups=None,
        splits=splits,
        digest=digest_json([content, counts]),
        info={
            "offset": low,
            "scale": high - low,
            "units": f"x from {low:g} to {high:g} is scaled, so an ε of e is {high - low:g} e in x",
            **{key: list(bounds) for key, bounds in ranges.items()},
            "points": points,
            "noise": noise,
            "draw_seed": seed,
        },
        targets=values,
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"functions: expected three whole numbers of at least 1, for train, val and test, got "
            f"{value!r} among them"
        )
    return value


def _draw(
    name: str,
    part: str,
    count: int,
    ranges: Ranges,
    rule: Rule,
    points: int,
    noise: float,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Inputs in [0, 1] and values of the functions of one split, float32 [count, points] each."""
    source = generator(seed, "data", name, part)
    first, second = (
        low + (high - low) * torch.rand(count, 1, generator=source) for low, high in ranges.values()
    )
    inputs = torch.rand(count, points, generator=source)
    low, high = X_RANGE
    values = rule(first, second, low + (high - low) * inputs)
    return inputs, values + noise * torch.randn(count, points, generator=source)
