"""Every learner, registered by being imported here."""

from metarobust.learners import (
    anil,
    centroid,
    finetune,
    fomaml,
    gaussian,
    maml,
    mamlpp,
    mann,
    matching,
    median,
    metasgd,
    multitask,
    protonet,
    relation,
    reptile,
    ridge,
    trimmed,
)
from metarobust.learners.base import LEARNERS

__all__ = [
    "LEARNERS",
    "anil",
    "centroid",
    "finetune",
    "fomaml",
    "gaussian",
    "maml",
    "mamlpp",
    "mann",
    "matching",
    "median",
    "metasgd",
    "multitask",
    "protonet",
    "relation",
    "reptile",
    "ridge",
    "trimmed",
]
