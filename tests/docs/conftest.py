"""Documentation is run as a person runs it."""

from tests.support.command_line import cli

__all__ = ["cli"]
