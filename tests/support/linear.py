"""Linear classifiers, whose distance to the nearest decision boundary has a closed form."""

from dataclasses import dataclass

import torch
from torch import Tensor

from metarobust.attacks.base import Judged, Objective
from metarobust.threats.ball import Norm
from metarobust.threats.losses import Aim, LossName, attack_loss, margin_loss


@dataclass
class LinearProblem:
    """z = x W' + b at points in the middle of [0, 1], all classified correctly."""

    weight: Tensor
    bias: Tensor
    x: Tensor
    y: Tensor

    @classmethod
    def random(cls, ways: int, *, seed: int = 0, points: int = 16, side: int = 6):
        source = torch.Generator().manual_seed(seed)
        weight = torch.randn(ways, side * side, generator=source, dtype=torch.float64)
        x = 0.4 + 0.2 * torch.rand(points, 1, side, side, generator=source, dtype=torch.float64)
        # A bias that puts every class on the same footing keeps all points close to a boundary.
        bias = -(weight @ x.flatten(1).mean(0))
        y = (x.flatten(1) @ weight.T + bias).argmax(1)
        return cls(weight, bias, x, y)

    def logits(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias

    def distance(self, norm: Norm) -> Tensor:
        """min_j (z_y - z_j) / ||w_y - w_j||_q with 1/p + 1/q = 1, for each point."""
        z = self.logits(self.x)
        gaps = z.gather(1, self.y[:, None]) - z
        difference = self.weight[self.y][:, None] - self.weight[None]
        dual = difference.norm(p={"linf": 1, "l2": 2, "l1": torch.inf}[norm], dim=2)
        return (gaps / dual).masked_fill(dual == 0, torch.inf).amin(1)

    def objective(self, loss: LossName, rank: int = 0) -> Objective:
        aim, clean = Aim(loss, rank), self.logits(self.x)

        def objective(x: Tensor) -> Judged:
            logits = self.logits(x)
            value = attack_loss(logits, self.y, aim, "untargeted", clean)
            return Judged(value, margin_loss(logits, self.y))

        return objective
