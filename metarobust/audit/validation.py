"""What is measured on clean meta-validation episodes before an audit, never on meta-test ones."""

from typing import Any

import torch
from torch import Tensor

from metarobust.audit.recalibration import fit_recalibration
from metarobust.core.seeds import derive_seed
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner

RECALIBRATION_EPISODES = 40


def measure_recalibration(
    learner: Learner, dataset: Dataset, protocol: Protocol, seed: int
) -> dict[str, Any]:
    """The learner's `Recalibration` as JSON, or the reason why there is none.

    It decides how stored logits are read, not what is stored, and so is no part of a cell's key: a
    machine that rounds otherwise, or a run made before it was measured, keeps its cells.
    """
    if protocol.split == "val":
        return {"reason": "the audited episodes are meta-val episodes themselves"}
    if not roomy(dataset, "val", protocol):
        return {"reason": f"{dataset.name} has no meta-val classes for such episodes"}
    logits, labels = clean_logits(
        learner,
        dataset,
        protocol,
        "val",
        derive_seed(seed, "recalibration"),
        RECALIBRATION_EPISODES,
    )
    try:
        return fit_recalibration(logits.numpy(), labels.numpy()).to_json()
    except ValueError as problem:
        return {"reason": str(problem)}


@torch.no_grad()
def clean_logits(
    learner: Learner, dataset: Dataset, protocol: Protocol, split: str, seed: int, episodes: int
) -> tuple[Tensor, Tensor]:
    """Clean logits [E, Q, N] and labels [E, Q] of episodes like a protocol's on another split."""
    shape = Protocol(**{**vars(protocol), "split": split, "replacement": "classes"})
    sampler = EpisodeSampler(dataset, shape, seed)
    drawn = [sampler[number] for number in range(episodes)]
    logits = [learner(e.support_x, e.support_y, e.query_x, e.ways) for e in drawn]
    return torch.stack(logits), torch.stack([e.query_y for e in drawn])


def roomy(dataset: Dataset, split: str, protocol: Protocol) -> bool:
    """Whether a split has classes, and images of each, for episodes of a protocol."""
    enough = [
        c for c in dataset.splits[split] if len(dataset.class_rows[c]) >= protocol.images_per_class
    ]
    return len(enough) >= protocol.ways and len(enough) == len(dataset.splits[split])
