"""The tiny project that these tests work on, and the command line around it."""

from tests.support.command_line import cli, files
from tests.support.tiny_project import _own_cache, tiny

__all__ = ["_own_cache", "cli", "files", "tiny"]
