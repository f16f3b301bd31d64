"""The attacks of adversarial objectives: those of audits, on an episode that is trained on."""

from typing import Literal

import torch
from torch import Tensor

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.threat import Prepared, adapter
from metarobust.attacks.catalogue import ENGINES
from metarobust.config.training_attack import AttackConfig
from metarobust.core.episode import Episode
from metarobust.learners.base import Classifier, Learner
from metarobust.threats.budget import Budget
from metarobust.threats.losses import LossName
from metarobust.threats.scale import task_scale

Labels = Literal["given", "predicted"]
"""What the attacker believes: the episode's labels, or what the learner says of clean images."""


def query_attack(config: AttackConfig, losses: tuple[LossName, ...] | None = None) -> QueryAttack:
    """The attack on queries that a configuration describes, perhaps with other losses to climb."""
    return QueryAttack(ENGINES[config.engine](), _budget(config, losses or config.loss))


def support_attack(config: AttackConfig) -> SupportAttack:
    """The attack on the whole support set that a configuration describes."""
    engine, budget = ENGINES[config.engine](), _budget(config, config.loss)
    return SupportAttack(engine, budget, first_order=config.first_order)


@torch.no_grad()
def attacked_queries(
    threat: QueryAttack, learner: Learner, prepared: Prepared, labels: Labels = "given"
) -> Tensor:
    """Queries [Q, *input] attacked against the classifier adapted to the clean support set.

    Both are constants: no gradient reaches the meta-parameters through the attack. Where training
    normalises the queries by their own statistics they are attacked together, as one unit.
    """
    episode = prepared.episode
    classify = adapter(learner, episode)(episode.support_x)
    logits = classify(episode.query_x)
    if labels == "predicted":
        believed = episode._replace(query_y=_predicted(episode, logits))
        prepared = prepared._replace(episode=believed)
    scaled = _scaled(classify, _scale(episode, logits))
    joint = learner.transductive or (learner.training and learner.norm_mode == "running")
    return threat.search(lambda _: scaled, prepared, scale=1.0, joint=joint).query_x


@torch.no_grad()
def attacked_support(
    threat: SupportAttack, learner: Learner, prepared: Prepared, labels: Labels = "given"
) -> Tensor:
    """Support images [S, *input] poisoned through adaptation, a constant.

    The attacker climbs the loss of its own queries; of the scored ones where it has none, which is
    then the worst case of the very loss that is trained.
    """
    episode = prepared.episode
    if not len(episode.attacker_y):
        episode = episode._replace(attacker_x=episode.query_x, attacker_y=episode.query_y)
    logits = adapter(learner, episode)(episode.support_x)(episode.attacker_x)
    if labels == "predicted":
        episode = episode._replace(attacker_y=_predicted(episode, logits))
    scale = _scale(episode, logits)
    adapt = adapter(learner, episode, first_order=threat.first_order)
    own = prepared._replace(episode=episode)
    return threat.search(lambda x: _scaled(adapt(x), scale), own, scale=1.0).support_x


def _budget(config: AttackConfig, losses: tuple[LossName, ...]) -> Budget:
    return Budget(
        norm=config.norm,
        eps=config.eps,
        steps=config.steps,
        restarts=config.restarts,
        step_size=config.step_size,
        losses=losses,
    )


def _predicted(episode: Episode, outputs: Tensor) -> Tensor:
    return outputs[:, 0] if episode.regression else outputs.argmax(1)


def _scale(episode: Episode, logits: Tensor) -> Tensor:
    return torch.ones_like(logits[0, 0]) if episode.regression else task_scale(logits)


def _scaled(classify: Classifier, scale: Tensor) -> Classifier:
    return lambda x: classify(x) / scale
