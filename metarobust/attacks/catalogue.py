"""Every attack engine, registered by being imported here."""

from metarobust.attacks import noise, pgd
from metarobust.attacks.base import ENGINES

__all__ = ["ENGINES", "noise", "pgd"]
