"""Learners on raw pixels, whose answers are known in closed form."""

import torch
from torch import nn

from metarobust.learners.base import Learner, class_means, negative_squared_distances


class Fixed(Learner):
    """A linear classifier whatever the support set says."""

    def __init__(self, weight, bias):
        super().__init__(nn.Identity())
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)

    def adapt(self, support_x, support_y, *, ways, generator=None, first_order=False):
        return lambda x: x.flatten(1) @ self.weight.T + self.bias


class Flickering(Learner):
    """Pixel prototypes under a linear tilt of the logits, drawn anew at every adaptation."""

    stochastic = True

    def __init__(self, strength=1.0):
        super().__init__(nn.Identity())
        self.strength = nn.Parameter(torch.tensor(strength))

    def adapt(self, support_x, support_y, *, ways, generator=None, first_order=False):
        centres = class_means(support_x.flatten(1), support_y, ways)
        tilt = self.strength * torch.randn(centres.shape, generator=generator)

        def classify(x):
            flat = x.flatten(1)
            return negative_squared_distances(flat, centres) + (flat - 0.5) @ tilt.T

        return classify
