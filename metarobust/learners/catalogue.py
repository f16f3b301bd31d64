"""Every learner, registered by being imported here."""

from metarobust.learners import centroid, maml, protonet
from metarobust.learners.base import LEARNERS

__all__ = ["LEARNERS", "centroid", "maml", "protonet"]
