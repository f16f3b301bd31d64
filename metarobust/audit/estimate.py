"""What an audit will cost, before it is run: gradients, and time from one timed episode."""

import time
from dataclasses import dataclass

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.dataset import load_dataset
from metarobust.audit.carry_out import carry_out, rehearsed
from metarobust.audit.plan import Plan, PlannedCell, open_learner
from metarobust.core.device import resolve_device
from metarobust.data.sampler import EpisodeSampler, Protocol


@dataclass(frozen=True)
class Estimate:
    """The cost of a plan.

    Attributes:
        gradient_calls: gradients of learners, all cells and episodes together.
        seconds: time of one process for all cells and episodes.
    """

    gradient_calls: int
    seconds: float


def estimate_cost(plan: Plan, allowed_code: frozenset[str] = frozenset()) -> Estimate:
    """Time one episode of one cell of each kind and scale it by the gradients of the others.

    Cells are of one kind when learner, engine and surface are the same.
    """
    config = plan.config
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    sampler = EpisodeSampler(dataset, Protocol(**config.protocol.model_dump()), config.seed)
    episode = sampler[0]
    device = resolve_device(config.device)
    kinds: dict[tuple[str, str, str], list[PlannedCell]] = {}
    for cell in plan.cells:
        threat = cell.description["threat"]
        kind = (cell.description["learner"]["label"], threat["engine"], threat["surface"])
        kinds.setdefault(kind, []).append(cell)
    seconds = 0.0
    for cells in kinds.values():
        sample = min(cells, key=lambda cell: cell.gradient_calls)
        learner = open_learner(sample.entry).learner.to(device).requires_grad_(False)
        threat_ = build_threat(sample.recipe, allowed_code=allowed_code)
        if threat_.rehearsals:
            began = time.monotonic()
            threat_ = rehearsed(
                threat_, learner, dataset, sampler.protocol, config.seed, sample.scale
            )
            seconds += (time.monotonic() - began) * len(cells)
        began = time.monotonic()
        carry_out(threat_, learner, [episode], config.seed, sample.scale)
        each = time.monotonic() - began
        weights = [max(c.gradient_calls, 1) / max(sample.gradient_calls, 1) for c in cells]
        seconds += each * sum(weights) * plan.episodes
    calls = sum(cell.gradient_calls for cell in plan.cells) * plan.episodes
    return Estimate(calls, seconds)
