"""The contract of a learner: how a model learns from a support set."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.normalisation import (
    NORM_MODES,
    BatchStatistics,
    FixedStatistics,
    NormMode,
    RecordedStatistics,
    Statistics,
    running_statistics,
)
from metarobust.core.option_checks import check_choice
from metarobust.core.registry import Registry
from metarobust.learners.task_loss import CLASSIFICATION, task_loss

Classifier = Callable[[Tensor], Tensor]
"""What adaptation returns: queries [Q, *input] to logits [Q, N]; in a regression to predicted means
[Q, 1], or to means and standard deviations [Q, 2]."""


class Backbone(Protocol):
    """An `nn.Module` that embeds a batch [n, *input] under given statistics as [n, feature_dim]."""

    feature_dim: int


class Learner(nn.Module, ABC):
    """A meta-learned model. It holds the meta-parameters; `adapt` reads and never writes them.

    Attributes:
        family: the kind of method, as `metarobust ls learners` shows it.
        paper: where it comes from: authors, venue, year.
        version: raise it whenever its numbers, gradients included, change for the same weights; it
            is part of every cell's key.
        differentiable: whether logits can be differentiated with respect to the support images
            through adaptation; if not, support sets get black-box threats only.
        stochastic: whether two adaptations to the same support set may differ.
        tasks: what it can be asked for, of `classification` and `regression`.
        default_norm_mode: the norm mode of this family where none is asked for.
        norm_mode: whose statistics batch normalisation uses at test time: `running` (meta-training,
            inductive), `support` (the support set's), `batch` (each batch's own: transductive).
        backbone: the embedding network.
        precision: in which the backbone computes while it is trained; features, and everything in
            evaluation, are float32 (or the parameters' own).
    """

    family: ClassVar[str] = "other"
    paper: ClassVar[str] = ""
    version: ClassVar[int] = 1
    precision: torch.dtype = torch.float32
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    default_norm_mode: ClassVar[NormMode] = "running"
    tasks: frozenset[str] = frozenset({CLASSIFICATION})

    def __init__(self, backbone: nn.Module, *, norm_mode: NormMode | None = None) -> None:
        super().__init__()
        self.norm_mode: NormMode = norm_mode or self.default_norm_mode
        check_choice("norm_mode", self.norm_mode, NORM_MODES)
        self.backbone = backbone

    @abstractmethod
    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """Learn one task from its support set.

        Called under `torch.no_grad` the result is a constant; otherwise it is differentiable in
        `support_x` and in the meta-parameters.

        Args:
            support_x: inputs [S, *input] in [0, 1].
            support_y: labels [S] in [0, ways). A class may be missing, as when labels are noisy.
                In a regression, values, float [S], with ways of 1.
            ways: number of classes N, which noisy labels alone cannot tell.
            generator: source of randomness, for stochastic learners.
            first_order: ignore second derivatives with respect to the parameters (FOMAML in
                training, first-order poisoning in attacks). No effect without an inner loop.

        Returns:
            The adapted classifier.
        """

    def forward(self, support_x: Tensor, support_y: Tensor, query_x: Tensor, ways: int) -> Tensor:
        """Adapt, then classify: logits [Q, ways]."""
        return self.adapt(support_x, support_y, ways=ways)(query_x)

    def meta_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        *,
        ways: int,
    ) -> Tensor:
        """What meta-training minimises on one episode: a scalar.

        Cross-entropy of the queries [Q, *input] and their labels [Q] after adaptation, or their
        squared error in a regression, unless the paper of a method says otherwise.
        """
        return task_loss(self(support_x, support_y, query_x, ways), query_y)

    def objection(self, *, ways: int, shots: int) -> str:
        """Why episodes of so many ways and shots cannot be learned, and what to do; else empty."""
        return ""

    def pretraining_head(self, classes: int) -> nn.Module:
        """The layer that classifies all meta-train classes while a backbone is pre-trained."""
        return nn.Linear(self.feature_dim, classes)

    def pretraining_loss(
        self, head: nn.Module, features: Tensor, labels: Tensor, groups: Tensor
    ) -> Tensor:
        """What pre-training minimises on one batch: a scalar.

        Args:
            head: made by `pretraining_head`.
            features: of the batch [n, d].
            labels: their classes [n], among all meta-train classes.
            groups: the group of each meta-train class [classes]; all zero if there are none.
        """
        return F.cross_entropy(head(features), labels)

    def learned(self) -> dict[str, Any]:
        """Meta-parameters that a person can read, JSON-ready: rates, temperatures, priors."""
        return {}

    @property
    def feature_dim(self) -> int:
        """Length d of the backbone's features."""
        return int(self.backbone.feature_dim)  # type: ignore[arg-type]

    @property
    def transductive(self) -> bool:
        """Whether a query's logits depend on its neighbours."""
        return self.norm_mode == "batch"

    def embed(
        self,
        x: Tensor,
        statistics: Statistics,
        parameters: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Features of a batch under given statistics and, if given, other backbone parameters."""
        half = self.training and self.precision != torch.float32
        with torch.autocast(x.device.type, dtype=self.precision if half else None, enabled=half):
            if parameters is None:
                features: Tensor = self.backbone(x, statistics)
            else:
                call = torch.func.functional_call
                features = call(self.backbone, dict(parameters), (x, statistics))
        return features.to(x.dtype) if half else features

    def embed_support(self, support_x: Tensor) -> tuple[Tensor, Statistics]:
        """Features [S, d] of the support set, and the statistics under which queries are embedded.

        In training, `running` learners use the statistics of each batch; their running moments are
        measured afterwards over many meta-train images (`train.moments`).
        """
        if self.norm_mode == "support":
            recorded = RecordedStatistics()
            features = self.embed(support_x, recorded)
            return features, FixedStatistics(recorded.moments)
        statistics = self.batch_or_running()
        return self.embed(support_x, statistics), statistics

    def query_statistics(self, support_x: Tensor, parameters: Mapping[str, Tensor]) -> Statistics:
        """The statistics under which queries are embedded by adapted backbone parameters."""
        if self.norm_mode == "support":
            recorded = RecordedStatistics()
            self.embed(support_x, recorded, parameters)
            return FixedStatistics(recorded.moments)
        return self.batch_or_running()

    def batch_or_running(self, *, twice: bool = False) -> Statistics:
        """Running statistics when evaluating a `running` learner, else each batch's own.

        `twice` says that the gradient will be differentiated again (see `BatchStatistics`).
        """
        if self.norm_mode == "running" and not self.training:
            return running_statistics(self.backbone)
        return BatchStatistics(twice=twice)


LEARNERS: Registry[type[Learner]] = Registry("learner")


def memberships(labels: Tensor, ways: int) -> Tensor:
    """Which support image belongs to which class: bool [S, ways].

    >>> memberships(torch.tensor([1, 0]), 2)
    tensor([[False,  True],
            [ True, False]])
    """
    return labels.unsqueeze(1) == torch.arange(ways, device=labels.device)


def class_means(features: Tensor, labels: Tensor, ways: int) -> Tensor:
    """Mean feature of each class [ways, d].

    A class without support images, which label noise can cause, gets the mean of all support
    features: no evidence, no direction.

    >>> class_means(torch.tensor([[0.0], [2.0]]), torch.tensor([0, 0]), 2)
    tensor([[1.],
            [1.]])
    """
    members = memberships(labels, ways).to(features.dtype)
    counts = members.sum(0).unsqueeze(1)
    means = members.T @ features / counts.clamp(min=1)
    return torch.where(counts > 0, means, features.mean(0))


def each_with_each(queries: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Queries [Q, d] and other vectors [N, e], repeated to meet: [Q, N, d] and [Q, N, e]."""
    shape = (len(queries), len(others), -1)
    return queries.unsqueeze(1).expand(shape), others.unsqueeze(0).expand(shape)


def negative_squared_distances(queries: Tensor, centres: Tensor) -> Tensor:
    """-||q - c||^2 for each query [Q, d] and centre [N, d]: logits [Q, N].

    Written as differences, not as |q|^2 - 2qc + |c|^2, whose float32 cancellation is large for
    queries close to a centre.
    """
    return -(queries.unsqueeze(1) - centres.unsqueeze(0)).square().sum(-1)


def cosine_similarities(queries: Tensor, others: Tensor) -> Tensor:
    """Cosine of the angle between each query [Q, d] and each other vector [N, d]: [Q, N]."""
    return F.normalize(queries, dim=1) @ F.normalize(others, dim=1).T
