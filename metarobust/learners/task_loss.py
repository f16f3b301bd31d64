"""The loss of a task by what is asked: the class of each input, or the value of a function."""

from torch import Tensor
from torch.nn import functional as F

CLASSIFICATION = "classification"
REGRESSION = "regression"
BOTH = frozenset({CLASSIFICATION, REGRESSION})


def task_loss(outputs: Tensor, answers: Tensor) -> Tensor:
    """Mean loss of a batch, a scalar.

    Args:
        outputs: logits [n, N]; of a regression, predicted means [n, 1].
        answers: labels int64 [n], for cross-entropy; or values float [n], for squared error.
    """
    if answers.is_floating_point():
        return F.mse_loss(outputs[:, 0], answers)
    return F.cross_entropy(outputs, answers)
