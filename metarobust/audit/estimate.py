"""What an audit will cost, before it is run: work counted, and time from timed episodes."""

import time
from dataclasses import dataclass
from typing import NamedTuple

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.dataset import load_dataset
from metarobust.audit.aspects import aspect_arrays
from metarobust.audit.carry_out import carry_out, rehearsed
from metarobust.audit.plan import Plan, PlannedCell, open_learner
from metarobust.core.device import resolve_device
from metarobust.core.jsonio import canonical_json
from metarobust.data.sampler import EpisodeSampler, Protocol


@dataclass(frozen=True)
class Estimate:
    """The cost of a plan.

    Attributes:
        gradient_calls: gradients of learners, all cells and episodes together.
        adaptations: those of searches without gradients, likewise.
        seconds: time of one process for all cells and episodes.
    """

    gradient_calls: int
    adaptations: int
    seconds: float


class _Time(NamedTuple):
    """Seconds that a cell takes once, and for each episode."""

    once: float
    each: float


_Kind = tuple[str, ...]


def estimate_cost(plan: Plan, allowed_code: frozenset[str] = frozenset()) -> Estimate:
    """Time one episode of one cell of each kind and scale it by the work of the others.

    Cells are of one kind when learner, engine, surface and point of an adaptation curve are the
    same; where neither gradients nor adaptations can be counted, also steps, restarts and options.
    What a corruption takes beyond a clean cell is no learner's, so it is timed on one of them.
    """
    kinds: dict[_Kind, list[PlannedCell]] = {}
    for cell in plan.cells:
        kinds.setdefault(_kind(cell), []).append(cell)
    samples = {kind: min(cells, key=_work) for kind, cells in kinds.items()}
    times = {kind: _timed(plan, sample, allowed_code) for kind, sample in samples.items()}
    clean = {_place(c): times[kind].each for kind, c in samples.items() if c.recipe is None}
    seconds = 0.0
    for kind, cells in kinds.items():
        sample, (once, each) = samples[kind], times[kind]
        for cell in cells:
            beyond = max(each - clean[_place(sample)], 0) + clean[_place(cell)]
            same = _place(cell) == _place(sample)
            own = each * _work(cell) / _work(sample) if same else beyond
            seconds += once + own * plan.episodes
    return Estimate(
        sum(cell.gradient_calls for cell in plan.cells) * plan.episodes,
        sum(cell.adaptations for cell in plan.cells) * plan.episodes,
        seconds,
    )


def _work(cell: PlannedCell) -> int:
    return cell.gradient_calls or cell.adaptations or 1


def _place(cell: PlannedCell) -> tuple[str, str]:
    """The learner, and the point of an adaptation curve: where there is one clean cell."""
    return cell.description["learner"]["label"], str(cell.description.get("adaptation"))


def _kind(cell: PlannedCell) -> _Kind:
    threat, (label, point) = cell.description["threat"], _place(cell)
    engine = (threat["engine"], str(threat["surface"]), point)
    if threat["family"] == "corruption":
        return engine
    if cell.gradient_calls or cell.adaptations:
        return (*engine, label)
    spent = [threat[name] for name in ("steps", "restarts", "options")]
    return (*engine, label, canonical_json(spent))


def _timed(plan: Plan, cell: PlannedCell, allowed_code: frozenset[str]) -> _Time:
    """Times the first episode of a cell, and what its threat learns before."""
    config, seed = plan.config, plan.config.seed
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    device = resolve_device(config.device)
    learner = open_learner(cell.entry, allowed_code).learner.to(device).requires_grad_(False)
    protocol = Protocol(**cell.config.protocol.model_dump())
    sampler = EpisodeSampler(dataset, protocol, seed)
    threat = build_threat(cell.recipe, allowed_code=allowed_code).with_data(dataset, protocol)
    episodes, once = [sampler[0]], 0.0
    if threat.rehearsals:
        began = time.monotonic()
        threat = rehearsed(threat, learner, dataset, protocol, seed, cell.scale)
        once = time.monotonic() - began
    began = time.monotonic()
    outcome = carry_out(threat, learner, episodes, seed, cell.scale)
    aspect_arrays(config.aspects, cell.recipe, threat, learner, sampler, episodes, outcome)
    return _Time(once, time.monotonic() - began)
