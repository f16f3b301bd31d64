"""Which device computes, what leaves it, and how many CPU cores this process may use."""

import os
from itertools import chain
from typing import Any

import numpy.typing as npt
import torch

from metarobust.core.errors import ConfigError


def resolve_device(name: str) -> torch.device:
    """The device called `auto`, `cpu`, `cuda` or `cuda:K`.

    Raises:
        ConfigError: the device is unknown, or a GPU was asked for that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device: expected auto, cpu, cuda or cuda:K, got '{name}'") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device: {name} was asked for, but torch sees {torch.cuda.device_count()} GPUs; use "
            "--set device=cpu"
        )
    return device


def device_of(module: torch.nn.Module) -> torch.device:
    """Where a module's tensors are; the CPU for one without any."""
    first = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def as_array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A tensor of any device, without its gradient, as an array."""
    array: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    return array


def usable_cores() -> int:
    """CPU cores this process may run on (its affinity where the system tells it)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
