"""What an audit will cost, before it is run: gradients, and time from one timed episode."""

import time
from dataclasses import dataclass

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.dataset import load_dataset
from metarobust.audit.aspects import aspect_arrays
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

    Cells are of one kind when learner, engine, surface and point of an adaptation curve are the
    same.
    """
    config = plan.config
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    device = resolve_device(config.device)
    kinds: dict[tuple[str, ...], list[PlannedCell]] = {}
    for cell in plan.cells:
        label, threat = cell.description["learner"]["label"], cell.description["threat"]
        point = str(cell.description.get("adaptation"))
        kinds.setdefault((label, threat["engine"], threat["surface"], point), []).append(cell)
    seconds = 0.0
    for cells in kinds.values():
        sample = min(cells, key=lambda cell: cell.gradient_calls)
        learner = open_learner(sample.entry, allowed_code).learner.to(device).requires_grad_(False)
        protocol = Protocol(**sample.config.protocol.model_dump())
        sampler = EpisodeSampler(dataset, protocol, config.seed)
        unbound = build_threat(sample.recipe, allowed_code=allowed_code)
        threat_ = unbound.with_data(dataset, protocol)
        episodes = [sampler[0]]
        if threat_.rehearsals:
            began = time.monotonic()
            threat_ = rehearsed(threat_, learner, dataset, protocol, config.seed, sample.scale)
            seconds += (time.monotonic() - began) * len(cells)
        began = time.monotonic()
        outcome = carry_out(threat_, learner, episodes, config.seed, sample.scale)
        aspect_arrays(config.aspects, sample.recipe, threat_, learner, sampler, episodes, outcome)
        each = time.monotonic() - began
        weights = [max(c.gradient_calls, 1) / max(sample.gradient_calls, 1) for c in cells]
        seconds += each * sum(weights) * plan.episodes
    calls = sum(cell.gradient_calls for cell in plan.cells) * plan.episodes
    return Estimate(calls, seconds)
