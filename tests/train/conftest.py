"""The tiny project that these tests work on."""

from tests.support.tiny_project import _own_cache, tiny

__all__ = ["_own_cache", "tiny"]
