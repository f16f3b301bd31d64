"""Queries crafted against a surrogate learner and judged on another, which is never asked."""

from dataclasses import dataclass, replace

import torch

from metarobust.assembly.attack_threats import QueryAttack, outcome_of
from metarobust.assembly.checkpoint import Checkpoint
from metarobust.assembly.threat import Outcome, Prepared, Threat, adapter, changed_share
from metarobust.core.episode import Episode
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner
from metarobust.threats.scale import task_scale


@dataclass(frozen=True)
class TransferAttack(Threat):
    """An attacker with a learner of its own adapts it to the same support set and attacks that.

    Each query goes to the audited learner once, as the surrogate's worst point. Where that beats
    the white-box attacks of the same budget, the audited learner masks its gradients.

    Attributes:
        attack: the search on the surrogate.
        surrogate: the attacker's learner, whose parameters ask for no gradient.
    """

    attack: QueryAttack
    surrogate: Checkpoint

    def versions(self) -> dict[str, int | str]:
        """See `Threat.versions`; the surrogate is its options and its tensors."""
        spec = str(sorted(self.surrogate.spec.identity().items()))
        own = {"surrogate": self.surrogate.weights, "surrogate specification": spec}
        return {**super().versions(), **self.attack.versions(), **own}

    def objection(self, learner: Learner, protocol: Protocol) -> str:
        """See `Threat.objection`."""
        surrogate = self.surrogate.learner
        if reason := surrogate.objection(ways=protocol.ways, shots=protocol.shots):
            return f"its surrogate: {reason}; or choose another with options.surrogate"
        return self.attack.objection(surrogate, protocol)

    def misfit(self, input_shape: tuple[int, ...]) -> str:
        """See `Threat.misfit`."""
        expected = tuple(self.surrogate.spec.input_shape)
        if expected != tuple(input_shape):
            return (
                f"its surrogate takes inputs of shape {list(expected)}, got {list(input_shape)}; "
                "choose another with options.surrogate"
            )
        return self.attack.misfit(input_shape)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`: the draws of the search."""
        return self.attack.prepare(episode, seed)

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`; the scale of logits is the surrogate's own, on these queries."""
        episode = prepared.episode
        x = episode.query_x
        surrogate = self.surrogate.learner.to(device=x.device, dtype=x.dtype)
        with torch.no_grad():
            classify = adapter(surrogate, episode)(episode.support_x)
            own_scale = task_scale(classify(x))
        attacked = self.attack.search(
            lambda _: lambda x: classify(x) / own_scale,
            prepared,
            scale=1.0,
            joint=surrogate.transductive,
        )
        changed = changed_share(x, attacked.query_x)
        return outcome_of(learner, episode, attacked, changed, poisoned=False)

    def without_budget(self) -> Threat:
        """The same search in a ball of radius zero."""
        budget = replace(self.attack.budget, eps=0.0)
        return replace(self, attack=replace(self.attack, budget=budget))
