"""The state of a training run: saved whole, restored exactly, never a pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from metarobust.core.digest import digest_arrays
from metarobust.core.errors import CheckpointError
from metarobust.core.jsonio import canonical_json, write_atomic
from metarobust.train.identity import Digests


@dataclass
class Progress:
    """How far training has come.

    Attributes:
        iteration: iterations done.
        history: one row for each validation so far.
        experiment: digest of the configuration and the data; another's state is refused.
        gradient_evaluations: gradients of the learner taken so far, those of attacks included.
    """

    iteration: int
    history: list[dict[str, Any]]
    experiment: str
    gradient_evaluations: int = 0


def save_state(
    path: Path,
    progress: Progress,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: nn.Module | None = None,
) -> None:
    """Write the state to one safetensors file, atomically; with the average of weights, if any."""
    tensors: dict[str, Tensor] = {f"module/{k}": v for k, v in module.state_dict().items()}
    if average is not None:
        tensors |= {f"average/{k}": v for k, v in average.state_dict().items()}
    for index, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{k}": torch.as_tensor(v) for k, v in slots.items()}
    whole = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    # One entry: safetensors writes several in any order, and equal states are equal bytes.
    metadata = {"progress": canonical_json({**vars(progress), "digest": _digest(whole)})}
    write_atomic(path, safetensors.torch.save(whole, metadata))


def load_state(
    path: Path,
    experiment: Digests,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: nn.Module | None = None,
) -> Progress:
    """Restore what `save_state` wrote, or leave it fresh when there is no file.

    Args:
        path: the file.
        experiment: what a state of this experiment may be marked with; from now on, the first.
        module: takes the weights.
        optimiser: takes its state.
        average: takes the average of weights, if there is one.

    Raises:
        CheckpointError: the file is damaged, or belongs to another experiment.
    """
    if not path.exists():
        return Progress(0, [], experiment[0])
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            found = json.loads(file.metadata()["progress"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        digest = found.pop("digest")
        progress = Progress(**found)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as problem:
        raise CheckpointError(
            f"{path}: not a training state of ours, or a damaged one ({problem}); remove it to "
            "start over"
        ) from None
    if _digest(tensors) != digest:
        raise CheckpointError(
            f"{path}: its tensors are not those that were saved; the file is damaged, remove it to "
            "start over"
        )
    if progress.experiment not in experiment:
        raise CheckpointError(
            f"{path} belongs to another experiment: its configuration or data differ from this "
            "one's; choose another name, or remove that folder to start over"
        )
    module.load_state_dict(_part(tensors, "module/"))
    if average is not None:
        average.load_state_dict(_part(tensors, "average/"))
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in _part(tensors, "optimiser/").items():
        index, _, name = key.partition("/")
        slots.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict(
        {"state": slots, "param_groups": optimiser.state_dict()["param_groups"]}
    )
    progress.experiment = experiment[0]
    return progress


def _digest(tensors: dict[str, Tensor]) -> str:
    return digest_arrays({key: value.numpy() for key, value in tensors.items()})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
