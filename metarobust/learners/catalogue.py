"""Every learner, registered by being imported here."""

from metarobust.learners import (
    anil,
    centroid,
    fomaml,
    gaussian,
    maml,
    mamlpp,
    matching,
    metasgd,
    protonet,
    relation,
    reptile,
    ridge,
)
from metarobust.learners.base import LEARNERS

__all__ = [
    "LEARNERS",
    "anil",
    "centroid",
    "fomaml",
    "gaussian",
    "maml",
    "mamlpp",
    "matching",
    "metasgd",
    "protonet",
    "relation",
    "reptile",
    "ridge",
]
