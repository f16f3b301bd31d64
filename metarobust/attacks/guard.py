"""What stands between a learner and third-party attack code: a guard and a frozen view.

Attack toolkits switch training modes, leave gradients on parameters, let BatchNorm learn from the
images they try, reseed the global generators and print. None of that may reach the learner.
"""

import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def guarded(module: nn.Module, *, seed: int | None = None) -> Iterator[None]:
    """Run foreign code near a module, and leave no trace of it.

    Inside, the module's parameters ask for no gradient and hold none, standard output goes
    nowhere, and the global generators of torch, numpy and Python may be used and reseeded. On the
    way out, also after an exception, these are as before, bit for bit: the training flag of every
    sub-module, `requires_grad` and `grad` of every parameter, every buffer, the generators.

    Args:
        module: the learner behind the classifier under attack.
        seed: where given, all global generators start from it inside.
    """
    flags = [(part, part.training) for part in module.modules()]
    parameters = [(p, p.requires_grad, p.grad) for p in module.parameters()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    # Toolkits draw from numpy's and Python's global generators, so it is these we must save.
    numpy_state = np.random.get_state()  # noqa: NPY002
    python_state = random.getstate()
    devices = range(torch.cuda.device_count())
    try:
        for parameter, _, _ in parameters:
            parameter.requires_grad_(False)
            parameter.grad = None
        with torch.random.fork_rng(devices), redirect_stdout(io.StringIO()):
            if seed is not None:
                torch.manual_seed(seed)
                np.random.seed(seed % 2**32)  # noqa: NPY002
                random.seed(seed)
            yield
    finally:
        for part, training in flags:
            part.training = training
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        with torch.no_grad():
            for buffer, saved in buffers:
                buffer.copy_(saved)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


class FrozenClassifier(nn.Module):
    """An adapted classifier as the ordinary `nn.Module` that an attack toolkit expects.

    The learner is not a sub-module, so a toolkit that walks the module finds one dummy parameter,
    there for the toolkits that ask the first parameter for its device; `train` and `eval` do
    nothing. The logits z of `forward` are z / scale, shifted so that each row's least is 1: this
    leaves arg-max, softmax, margins and their gradients as they are, and mends attacks that mask
    the true class by multiplying its logit with 0, which fail when all logits are negative.

    The classifier must hold no autograd graph of its own (adapt first, then detach): a toolkit
    may call `backward` many times.
    """

    classifier: Callable[[Tensor], Tensor]

    def __init__(
        self,
        classifier: Callable[[Tensor], Tensor],
        *,
        scale: float = 1.0,
        device: torch.device | None = None,
    ) -> None:
        """Wrap a classifier.

        Args:
            classifier: inputs [Q, *input] to logits [Q, N].
            scale: what the logits are divided by, above 0: one number per learner, chosen from
                its clean margins. A scale per query or step would make losses incomparable.
            device: where the toolkit should put its tensors.
        """
        super().__init__()
        # Past nn.Module.__setattr__, which would make a learner a sub-module.
        object.__setattr__(self, "classifier", classifier)
        self.scale = scale
        self.dummy = nn.Parameter(torch.zeros((), device=device), requires_grad=False)
        self.training = False

    def forward(self, x: Tensor) -> Tensor:
        """Logits [Q, N] of inputs [Q, *input], scaled and shifted."""
        # Through a flat view, so that the gradient comes back contiguous: toolkits call `view` on
        # it, which fails on the channels_last gradient of a channels_last network.
        logits = self.classifier(x.flatten(1).reshape(x.shape)) / self.scale
        return logits - logits.detach().amin(1, keepdim=True) + 1

    def train(self, mode: bool = True) -> "FrozenClassifier":
        """Do nothing: the mode belongs to the learner."""
        return self
