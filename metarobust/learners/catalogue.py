"""Every learner, registered by being imported here."""

from metarobust.learners import (
    anil,
    centroid,
    finetune,
    fomaml,
    gaussian,
    maml,
    mamlpp,
    matching,
    median,
    metasgd,
    neural_process,
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
    "matching",
    "median",
    "metasgd",
    "neural_process",
    "protonet",
    "relation",
    "reptile",
    "ridge",
    "trimmed",
]
