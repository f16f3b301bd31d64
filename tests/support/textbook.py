"""Networks written with torch's own layers, as a textbook would."""

import torch
from torch import nn
from torch.nn import functional as F


def textbook_conv4(backbone, *, training):
    """The same network from torch.nn's own layers, in the usual order conv-norm-relu-pool."""
    layers = []
    for block in backbone.blocks:
        kernel = block.weight.permute(0, 3, 1, 2)
        conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
        nn.init.normal_(conv.bias)  # cancels under batch statistics
        norm = nn.BatchNorm2d(kernel.shape[0])
        with torch.no_grad():
            conv.weight.copy_(kernel)
            if not training:
                conv.bias.zero_()
            norm.weight.copy_(block.norm.weight)
            norm.bias.copy_(block.norm.bias)
            norm.running_mean.copy_(block.norm.mean)
            norm.running_var.copy_(block.norm.variance)
        layers += [conv, norm, nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten()).double().train(training)


def conv4_under_statistics_of(others, x, blocks):
    """Features of Conv4, each layer of `x` normalised by the moments of `others` at that layer."""
    for i in range(0, len(blocks), 3):
        kernel = blocks[i].permute(0, 3, 1, 2)
        others, x = (F.conv2d(part, kernel, padding=1) for part in (others, x))
        mean = others.mean((0, 2, 3), keepdim=True)
        variance = (others - mean).square().mean((0, 2, 3), keepdim=True)
        scale, shift = (part.view(1, -1, 1, 1) for part in blocks[i + 1 : i + 3])
        others, x = (
            F.max_pool2d(F.relu((part - mean) / (variance + 1e-5).sqrt() * scale + shift), 2)
            for part in (others, x)
        )
    return x.flatten(1)


def functional_conv4(x, weights):
    """Logits of Conv4 under batch statistics and a linear head.

    `weights` are kernel, scale and shift of each block, then the weight and bias of the head.
    """
    *blocks, weight, bias = weights
    for i in range(0, len(blocks), 3):
        x = F.conv2d(x, blocks[i].permute(0, 3, 1, 2), padding=1)
        x = F.batch_norm(x, None, None, blocks[i + 1], blocks[i + 2], training=True)
        x = F.max_pool2d(F.relu(x), 2)
    return x.flatten(1) @ weight.T + bias
