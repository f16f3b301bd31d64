"""Conditional neural processes: a support set summarised as a mean, and a decoder that reads it."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_choice
from metarobust.learners.base import LEARNERS, Classifier, Learner, class_means, each_with_each
from metarobust.learners.task_loss import CLASSIFICATION, REGRESSION

LEAST_DEVIATION = 0.1
"""Of a predicted Gaussian, in the units of y: sigma = 0.1 + 0.9 softplus, as the paper's code."""


@LEARNERS.register("neural-process")
class NeuralProcess(Learner):
    """A conditional neural process (Garnelo et al. 2018, eq. 1 to 3).

    r_i = h(x_i, y_i), r = mean of the r_i, and g(x, r) is the prediction at x: for regression a
    Gaussian's mean and standard deviation, trained by negative log-likelihood. For classification
    the r_i are averaged class by class, as in section 4.3 of the paper; there the decoder reads
    all r_c in a row, here one decoder reads (x, r_c, mean of all r_c) and gives the logit of class
    c, so that neither the order nor the number of classes is built in.

    Args:
        backbone: embeds inputs for encoder and decoder alike.
        task: `classification` or `regression`.
        width: features of the summary and of every hidden layer.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: an unknown task, or no width.
    """

    family = "neural process"
    paper = "Garnelo et al., ICML 2018"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        task: str = CLASSIFICATION,
        width: int = 128,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_choice("neural-process, task", task, (CLASSIFICATION, REGRESSION))
        check_at_least("width", width, 1)
        regression = task == REGRESSION
        self.tasks = frozenset({task})
        self.encoder = _layers(self.feature_dim + regression, width, width)
        summaries = 1 if regression else 2
        self.decoder = _layers(self.feature_dim + summaries * width, width, 2 if regression else 1)

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`; of a regression, queries to means and deviations [Q, 2]."""
        features, statistics = self.embed_support(support_x)
        if support_y.is_floating_point():
            pairs = torch.cat([features, support_y.unsqueeze(1)], dim=1)
            summary = self.encoder(pairs).mean(0)

            def predict(query_x: Tensor) -> Tensor:
                queries = self.embed(query_x, statistics)
                read = torch.cat([queries, summary.expand(len(queries), -1)], dim=1)
                mean, raw = self.decoder(read).unbind(1)
                deviation = LEAST_DEVIATION + (1 - LEAST_DEVIATION) * F.softplus(raw)
                return torch.stack([mean, deviation], dim=1)

            return predict
        means = class_means(self.encoder(features), support_y, ways)
        summaries = torch.cat([means, means.mean(0).expand(ways, -1)], dim=1)

        def classify(query_x: Tensor) -> Tensor:
            queries = self.embed(query_x, statistics)
            read = torch.cat(each_with_each(queries, summaries), dim=2)
            logits: Tensor = self.decoder(read).squeeze(2)
            return logits

        return classify

    def meta_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        *,
        ways: int,
    ) -> Tensor:
        """See `Learner.meta_loss`; of a regression, the mean of `gaussian_nll`."""
        outputs = self(support_x, support_y, query_x, ways)
        if query_y.is_floating_point():
            return gaussian_nll(outputs, query_y).mean()
        return F.cross_entropy(outputs, query_y)

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`."""
        return {"task": next(iter(self.tasks))}


def gaussian_nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """-log N(y; mean, deviation^2) for each row [n] of outputs [n, 2], in nats.

    >>> gaussian_nll(torch.tensor([[0.0, 1.0]]), torch.tensor([0.0]))
    tensor([0.9189])
    """
    mean, deviation = outputs.unbind(1)
    return ((targets - mean) / deviation).square() / 2 + deviation.log() + math.log(math.tau) / 2


def _layers(size: int, width: int, out: int) -> nn.Sequential:
    """Two hidden layers without normalisation, by which queries would see each other."""
    hidden = (nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return nn.Sequential(*hidden, nn.Linear(width, out))
