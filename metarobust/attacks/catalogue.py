"""Every attack engine, registered by being imported here."""

from metarobust.attacks import apgd, apgd_l1, autoattack, fmn, mim, noise, pgd, rays, square
from metarobust.attacks.base import ENGINES

__all__ = [
    "ENGINES",
    "apgd",
    "apgd_l1",
    "autoattack",
    "fmn",
    "mim",
    "noise",
    "pgd",
    "rays",
    "square",
]
