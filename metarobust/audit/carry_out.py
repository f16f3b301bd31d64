"""Carrying a threat out on some episodes, and letting it learn before it meets them."""

from functools import partial

from torch.utils._pytree import tree_map

from metarobust.assembly.threat import Outcome, Prepared, Threat
from metarobust.audit.validation import roomy
from metarobust.core.device import device_of
from metarobust.core.engine import Backend, map_episodes, preferred_backend, stack_episodes
from metarobust.core.episode import Episode
from metarobust.core.errors import DataError
from metarobust.core.seeds import derive_seed
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Learner


def carry_out(
    threat: Threat, learner: Learner, episodes: list[Episode], seed: int, scale: float
) -> Outcome:
    """Run a threat on some episodes; an `Outcome` whose tensors have a leading episode axis."""
    device = device_of(learner)
    prepared = stack_episodes([threat.prepare(episode, seed) for episode in episodes])
    on_device: Prepared = tree_map(lambda leaf: leaf.to(device), prepared)
    outcome: Outcome = map_episodes(
        partial(_run, threat, learner, scale), on_device, backend=backend_of(threat, learner)
    )
    return outcome


def backend_of(threat: Threat, learner: Learner) -> Backend:
    """How a threat is mapped over episodes; what draws while it runs cannot be vmapped."""
    if not threat.mappable or learner.stochastic:
        return "loop"
    return preferred_backend(device_of(learner))


def _run(threat: Threat, learner: Learner, scale: float, prepared: Prepared) -> Outcome:
    return threat.run(learner, prepared, scale)


def rehearsed(
    threat: Threat,
    learner: Learner,
    dataset: Dataset,
    protocol: Protocol,
    seed: int,
    scale: float,
) -> Threat:
    """A threat that has learned what it must from episodes that are never scored.

    Raises:
        DataError: the data set has no classes to spare.
    """
    if not threat.rehearsals:
        return threat
    episodes = rehearsal_episodes(dataset, protocol, seed, threat.rehearsals)
    return threat.learn(learner, episodes, seed, scale)


def rehearsal_episodes(
    dataset: Dataset, protocol: Protocol, seed: int, count: int
) -> list[Episode]:
    """Episodes of meta-val classes, or of meta-train where those are too few or audited.

    Raises:
        DataError: neither split can give an episode of this shape.
    """
    for split in ("val", "train"):
        if split != protocol.split and roomy(dataset, split, protocol):
            shape = Protocol(**{**vars(protocol), "split": split, "replacement": "classes"})
            sampler = EpisodeSampler(dataset, shape, derive_seed(seed, "rehearsal"))
            return [sampler[number] for number in range(count)]
    raise DataError(
        f"{dataset.name}: this threat learns from episodes of meta-val or meta-train, and neither "
        f"has {protocol.ways} classes of {protocol.images_per_class} images beside the audited "
        f"meta-{protocol.split}; leave it out"
    )
