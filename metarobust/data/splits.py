"""Which classes are meta-train, meta-val and meta-test: declared by name, or drawn from a seed."""

from collections.abc import Mapping, Sequence

import torch

from metarobust.core.errors import ConfigError, did_you_mean
from metarobust.core.seeds import generator
from metarobust.data.base import SPLITS, ClassSplits, three_of

DeclaredSplit = Mapping[str, Sequence[str | int]]


def declared_split(
    declared: DeclaredSplit, members: Mapping[str, Sequence[int]], kind: str
) -> ClassSplits:
    """Class ids of each split, from names written in a configuration.

    Args:
        declared: names under `train`, `val` and `test`; a split left out is empty.
        members: the class ids that each name stands for (a class: one; an alphabet: many).
        kind: what a name names, for messages: "class", "alphabet".

    Raises:
        ConfigError: an unknown split or name, or a name listed twice.
    """
    if not isinstance(declared, Mapping):
        raise ConfigError(f"split: expected lists under train, val and test, got {declared!r}")
    unknown = sorted(set(declared) - set(SPLITS))
    if unknown:
        raise ConfigError(f"split: expected train, val and test, got {three_of(unknown)}")
    splits: dict[str, tuple[int, ...]] = {}
    owner: dict[str, str] = {}
    for part in SPLITS:
        listed = declared.get(part) or ()
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise ConfigError(f"split.{part}: expected a list of {kind} names, got {listed!r}")
        names = [str(name) for name in listed]
        for name in names:
            if name not in members:
                hint = did_you_mean(name, members)
                raise ConfigError(f"split.{part}: unknown {kind} {name!r}: {hint}")
            if name in owner:
                raise ConfigError(
                    f"split: {kind} {name!r} is listed under {owner[name]} and {part}; "
                    "meta-train, meta-val and meta-test must be disjoint"
                )
            owner[name] = part
        splits[part] = tuple(c for name in names for c in members[name])
    return splits


def seeded_split(classes: int, fractions: Sequence[float], seed: int) -> ClassSplits:
    """A random split of class ids, the same for the same arguments anywhere.

    Args:
        classes: how many classes there are.
        fractions: shares of train, val and test, at least 0, adding up to 1; the borders between
            them are rounded to whole classes.
        seed: root of the draw.

    Raises:
        ConfigError: the fractions are not three shares of one whole.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ConfigError(
            f"fractions: expected three shares of train, val and test that add up to 1, got "
            f"{list(fractions)}"
        )
    order = torch.randperm(classes, generator=generator(seed, "data", "class split")).tolist()
    first, second = round(fractions[0] * classes), round(sum(fractions[:2]) * classes)
    return {
        "train": tuple(sorted(order[:first])),
        "val": tuple(sorted(order[first:second])),
        "test": tuple(sorted(order[second:])),
    }


def all_test(classes: int) -> ClassSplits:
    """Every class in meta-test: a data set that is only ever evaluated on."""
    return {"train": (), "val": (), "test": tuple(range(classes))}
