"""Every data set that ships: importing this module registers all loaders in `DATASETS`."""

from metarobust.data.digits import digits
from metarobust.data.folder import folder
from metarobust.data.functions import linear, sinusoid
from metarobust.data.glyphs import glyphs
from metarobust.data.idx import idx
from metarobust.data.omniglot import omniglot
from metarobust.data.registry import DATASETS
from metarobust.data.vectors import vectors

__all__ = [
    "DATASETS",
    "digits",
    "folder",
    "glyphs",
    "idx",
    "linear",
    "omniglot",
    "sinusoid",
    "vectors",
]
