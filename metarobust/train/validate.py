"""Accuracy, or error, on meta-val episodes, clean and attacked: all that training selects by."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.data_threats import Clean
from metarobust.assembly.threat import Prepared, Threat
from metarobust.attacks.pgd import fgsm
from metarobust.config.training_attack import CheckConfig
from metarobust.core.device import device_of
from metarobust.core.engine import Backend, map_episodes, stack_episodes
from metarobust.data.sampler import EpisodeSampler
from metarobust.learners.base import Learner
from metarobust.threats.losses import squared_error
from metarobust.threats.scale import logit_scale
from metarobust.train.adversaries import query_attack, support_attack

BLOCK = 20
"""Episodes held at once. Memory only; not results."""


@dataclass(frozen=True)
class Check:
    """The attacks that watch training.

    Attributes:
        attack: what `robust_accuracy` is measured under.
        one_step: FGSM of the same norm and eps, whose distance from `attack` tells a learner that
            resists from one that hides its gradient.
        episodes: how many are attacked.
    """

    attack: Threat
    one_step: Threat
    episodes: int


def make_check(config: CheckConfig, episodes: int) -> Check:
    """The attacks that a configuration describes."""
    make = query_attack if config.surface == "query" else support_attack
    threat: QueryAttack | SupportAttack = make(config)
    budget = replace(threat.budget, steps=1, restarts=1, step_size=1.0)
    return Check(threat, replace(threat, engine=fgsm(), budget=budget), episodes)


@dataclass(frozen=True)
class Validator:
    """Measures a learner on the same meta-val episodes every time.

    Attributes:
        sampler: the episodes; its seed is also that of the attacks.
        episodes: how many.
        check: the attacks on them.
    """

    sampler: EpisodeSampler
    episodes: int
    check: Check | None = None

    def measure(self, learner: Learner, backend: Backend) -> dict[str, Any]:
        """Accuracies and standard errors; null under attack without a check.

        Of a regression mean squared errors, in columns of their own; its accuracies are null.
        """
        score, error = clean_accuracy(learner, self.sampler, self.episodes, backend)
        regression = self.sampler.dataset.task == "regression"
        own = "mse" if regression else "accuracy"
        row: dict[str, Any] = {"accuracy": None, "standard_error": error, **dict.fromkeys(ROBUST)}
        row |= dict.fromkeys(ERRORS if regression else ()) | {own: score}
        if self.check is None:
            return row
        few = min(self.check.episodes, BLOCK)
        scale = 1.0 if regression else _scale_of(learner, self.sampler, few, backend)
        for name, threat in (("robust", self.check.attack), ("one_step", self.check.one_step)):
            row[f"{name}_{own}"], row[f"{name}_standard_error"] = accuracy_under(
                threat, learner, self.sampler, self.check.episodes, backend, scale=scale
            )
        return row


ROBUST = (
    "robust_accuracy",
    "robust_standard_error",
    "one_step_accuracy",
    "one_step_standard_error",
)
"""The columns of a check."""

ERRORS = ("mse", "robust_mse", "one_step_mse")
"""The columns of a regression: mean squared errors, clean and of a check."""


def clean_accuracy(
    learner: Learner, sampler: EpisodeSampler, episodes: int, backend: Backend
) -> tuple[float, float | None]:
    """Mean accuracy over episodes 0, 1, ... of a sampler, and its standard error by episode.

    One episode has no standard error.
    """
    return accuracy_under(Clean(), learner, sampler, episodes, backend)


@torch.no_grad()
def accuracy_under(
    threat: Threat,
    learner: Learner,
    sampler: EpisodeSampler,
    episodes: int,
    backend: Backend,
    *,
    scale: float = 1.0,
) -> tuple[float, float | None]:
    """Mean accuracy under a threat, and its standard error; see `clean_accuracy`.

    Of a regression the mean squared error.

    Args:
        threat: drawn for each episode from the sampler's seed.
        learner: left unchanged.
        sampler: of the episodes.
        episodes: how many.
        backend: how to map over them.
        scale: the learner's logit scale; attack losses see logits / scale.
    """

    def accuracy(prepared: Prepared) -> Tensor:
        logits = threat.run(learner, prepared, scale).logits
        if prepared.episode.regression:
            return squared_error(logits, prepared.episode.query_y).double().mean()
        return (logits.argmax(1) == prepared.episode.query_y).double().mean()

    values = []
    for first in range(0, episodes, BLOCK):
        block = _prepared(threat, learner, sampler, range(first, min(first + BLOCK, episodes)))
        values.append(map_episodes(accuracy, block, backend=backend).cpu())
    scores = torch.cat(values)
    error = float(scores.std()) / math.sqrt(len(scores)) if len(scores) > 1 else None
    return float(scores.mean()), error


def _scale_of(learner: Learner, sampler: EpisodeSampler, episodes: int, backend: Backend) -> float:
    def logits(prepared: Prepared) -> Tensor:
        return Clean().run(learner, prepared, 1.0).logits

    block = _prepared(Clean(), learner, sampler, range(episodes))
    return logit_scale(map_episodes(logits, block, backend=backend).flatten(0, 1))


def _prepared(
    threat: Threat, learner: Learner, sampler: EpisodeSampler, numbers: range
) -> Prepared:
    device = device_of(learner)
    block = stack_episodes([threat.prepare(sampler[number], sampler.seed) for number in numbers])
    moved: Prepared = tree_map(lambda leaf: leaf.to(device), block)
    return moved
