"""The processes that train together: each takes some of an iteration's tasks, all take one step."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from metarobust.core.device import resolve_device
from metarobust.core.errors import ConfigError
from metarobust.core.extras import required


class Ranks(ABC):
    """This process among those that train together.

    Nothing is wrapped: a functional meta-gradient passes a wrapped module by, and processes would
    silently drift apart. Each computes the gradients of its own tasks, these are summed by an
    explicit all-reduce, and every process then takes the same step from the same weights.

    Attributes:
        index: which process this is, from 0. The first validates, writes and speaks.
        count: how many there are.
        device: where this one computes.
    """

    index: int
    count: int
    device: torch.device

    @abstractmethod
    def total(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The sum of every process's tensors, by name; the same on all."""

    @abstractmethod
    def agreed(self, value: Any) -> Any:
        """What the first process has; JSON-ready."""

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, writes and speaks."""
        return self.index == 0

    def own(self, tasks: int) -> range:
        """Which of an iteration's tasks this process takes."""
        return range(self.index, tasks, self.count)


class Alone(Ranks):
    """One process."""

    index, count = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def total(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Ranks.total`."""
        return values

    def agreed(self, value: Any) -> Any:
        """See `Ranks.agreed`."""
        return value


class FabricRanks(Ranks):
    """Processes of Lightning Fabric, on one machine or, under torchrun or srun, on many."""

    def __init__(self, fabric: Any) -> None:
        self._fabric = fabric
        self.index, self.count = int(fabric.global_rank), int(fabric.world_size)
        self.device = fabric.device

    def total(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Ranks.total`."""
        summed: dict[str, Tensor] = self._fabric.all_reduce(values, reduce_op="sum")
        return summed

    def agreed(self, value: Any) -> Any:
        """See `Ranks.agreed`."""
        return self._fabric.broadcast(value, src=0)


def join(processes: int, device: str) -> Ranks:
    """Start the other processes, which run this very command, and join them.

    Args:
        processes: how many in all; on GPUs, one each.
        device: auto, cpu, cuda or cuda:K; `cuda:K` is of one process only.

    Raises:
        ConfigError: Lightning Fabric is not installed, or there are fewer GPUs than processes.
    """
    here = resolve_device(device)
    if processes == 1:
        return Alone(here)
    gpus = torch.cuda.device_count()
    if here.type == "cuda" and (":" in device or processes > gpus):
        raise ConfigError(
            f"--processes {processes}: expected device cuda and as many GPUs, got {device} and "
            f"{gpus}; use fewer processes, or --set device=cpu"
        )
    fabric = required("lightning_fabric", "dist").Fabric(
        accelerator="gpu" if here.type == "cuda" else "cpu", devices=processes, strategy="ddp"
    )
    fabric.launch()
    return FabricRanks(fabric)
