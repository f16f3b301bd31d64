"""The shape of an episode, for audits, meta-training and validation."""

from typing import Annotated, Literal

from pydantic import Field

from metarobust.config.fields import Count, CountFromZero
from metarobust.config.model import Model

Split = Literal["train", "val", "test"]


class ProtocolConfig(Model):
    """How episodes are drawn.

    Attributes:
        ways: classes per episode, at least 2; 1 for regression, where a task is one function.
        shots: support images per class.
        queries: scored queries per class.
        attacker_queries: queries per class that only the attacker sees; poisoning needs them.
        split: whose classes: meta-train, meta-val or meta-test.
        replacement: `classes` draws each episode afresh; `disjoint` uses no image twice.
    """

    ways: Annotated[int, Field(strict=True, ge=1)] = 5
    shots: Count = 5
    queries: Count = 5
    attacker_queries: CountFromZero = 5
    split: Split = "test"
    replacement: Literal["classes", "disjoint"] = "classes"


class TrainProtocol(ProtocolConfig):
    """Episodes of meta-training: of meta-train classes only."""

    attacker_queries: CountFromZero = 0
    split: Literal["train"] = "train"


class ValidationProtocol(ProtocolConfig):
    """Episodes that select a checkpoint: of meta-val classes only, never of meta-test."""

    attacker_queries: CountFromZero = 0
    split: Literal["val"] = "val"
