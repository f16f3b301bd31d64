"""The tiny project that these tests work on."""

from tests.support.tiny_project import own_cache, tiny

__all__ = ["own_cache", "tiny"]
