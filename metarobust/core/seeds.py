"""The seed tree: every random draw has a name, and its name decides its bits."""

import hashlib

import torch


def derive_seed(seed: int, *path: str | int) -> int:
    """A 63-bit seed for the draw called `path` under the root `seed`.

    The same root and path give the same seed in any process, on any machine; different paths
    give independent seeds (SHA-256 of an unambiguous encoding of the path).

    >>> derive_seed(0, "episode", 3) == derive_seed(0, "episode", 3)
    True
    >>> derive_seed(0, "episode", 3) == derive_seed(0, "episode", "3")
    False
    """
    digest = hashlib.sha256(repr((int(seed), *path)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *path: str | int) -> torch.Generator:
    """A CPU generator for the draw called `path`; draw on the CPU, then move."""
    return torch.Generator().manual_seed(derive_seed(seed, *path))
