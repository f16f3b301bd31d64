"""Checkpoints: safetensors weights and a JSON sidecar. Loading one executes no code of its own."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.core.bundled import bundled
from metarobust.core.digest import digest_arrays
from metarobust.core.errors import CheckpointError, did_you_mean
from metarobust.core.jsonio import check_kinds, read_json, write_atomic, write_json
from metarobust.learners.base import Learner

SCHEMA = 1
LARGEST_INPUT = 1 << 24
"""Values of one input; a sidecar that claims more would only fill the memory."""

FACTS: dict[str, type] = {
    "training": dict,
    "training.threat": str,
    "training.config": dict,
    "dataset": dict,
    "dataset.name": str,
    "seed": int,
}
"""The facts of a sidecar that audits read."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained learner and what is known of it.

    Attributes:
        learner: in evaluation mode, on the CPU.
        spec: how it was built.
        weights: digest of its tensors, wherever they are stored.
        facts: the rest of the sidecar: data set, objective, metrics, seed, versions, command.
    """

    learner: Learner
    spec: LearnerSpec
    weights: str
    facts: Mapping[str, Any]


def weights_digest(learner: torch.nn.Module) -> str:
    """Digest of names, types, shapes and bytes of all parameters and buffers."""
    return digest_arrays({k: v.detach().cpu().numpy() for k, v in learner.state_dict().items()})


def save_checkpoint(
    path: Path, learner: Learner, spec: LearnerSpec, facts: Mapping[str, Any]
) -> None:
    """Write `path` (.safetensors) and, last, its sidecar (.json); each whole or not at all."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in learner.state_dict().items()}
    write_atomic(path, safetensors.torch.save(tensors))
    sidecar = {
        "schema": SCHEMA,
        "learner": spec.to_json(),
        "weights": weights_digest(learner),
        "learned": learner.learned(),
        **facts,
    }
    write_json(path.with_suffix(".json"), sidecar)


def find_checkpoint(name: str) -> Path:
    """The path of a checkpoint called by its file, or by its name in the bundled zoo.

    Raises:
        CheckpointError: there is no such file; near names of the zoo are suggested.
    """
    zoo = bundled("configs") / "zoo"
    for path in (Path(name), Path(f"{name}.safetensors"), zoo / f"{name}.safetensors"):
        with suppress(OSError):  # a name too long to be a file's
            if path.is_file():
                return path
    known = [p.stem for p in zoo.glob("*.safetensors")]
    raise CheckpointError(
        f"no checkpoint '{name}': expected a .safetensors file or a name of the zoo; "
        f"{did_you_mean(name, known)}"
    )


def load_checkpoint(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    allowed_code: frozenset[str] = frozenset(),
) -> Checkpoint:
    """Load a learner from a file or from the zoo.

    A sidecar may name a plug-in, but only code that the user has allowed is run.

    Args:
        name: see `find_checkpoint`.
        options: learner options to replace, such as `norm_mode` or `inner_steps`.
        allowed_code: files and modules whose code the user has allowed on the command line.

    Raises:
        CheckpointError: the file is not safetensors, is damaged, was altered since it was saved,
            holds NaN, or does not fit the learner its sidecar describes (both shapes are named).
    """
    path = find_checkpoint(name)
    tensors = read_tensors(path)
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        raise CheckpointError(
            f"{path}: its sidecar {sidecar.name} is missing; it says which learner the weights "
            "belong to, so copy it next to them"
        )
    facts = read_json(sidecar, CheckpointError)
    spec = _spec(sidecar, facts).with_options(options or {})
    check_kinds(sidecar, facts, FACTS, CheckpointError)
    learner = build_learner(spec, allowed_code=allowed_code)
    _check_fit(path, tensors, learner)
    learner.load_state_dict(tensors)
    weights = weights_digest(learner)
    if weights != facts["weights"]:
        raise CheckpointError(
            f"{path}: its tensors are not those that were saved (digest {weights[:12]}, sidecar "
            f"says {str(facts['weights'])[:12]}); the file was damaged or changed"
        )
    rest = {k: v for k, v in facts.items() if k not in ("schema", "learner", "weights")}
    return Checkpoint(learner, spec, weights, rest)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        CheckpointError: anything else was given; the message names what it looks like.
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, ValueError, KeyError) as problem:
        raise CheckpointError(f"{path} is {_other_format(path)} ({problem})") from None
    for key, value in tensors.items():
        if value.is_floating_point() and not bool(value.float().isfinite().all()):
            raise CheckpointError(f"{path}: weights contain NaN or infinity in '{key}'")
    return tensors


_CODE = "can contain code; refused: save the state_dict with safetensors.torch.save_file instead"
_OTHER_FORMATS = {
    b"version https://git-lfs": "a Git LFS pointer, not the weights; run `git lfs pull`",
    b"<!doctype": "an HTML page, not weights; download the file itself",
    b"<html": "an HTML page, not weights; download the file itself",
    b"pk\x03\x04": f"a zip such as torch.save writes, which {_CODE}",
    b"\x80": f"a pickle, which {_CODE}",
}
"""What a file is that starts like this, in lower case."""


def _other_format(path: Path) -> str:
    """What a file looks like that did not load.

    Never asked of one that did: the length a sound file starts with may look like a pickle's start.
    """
    with path.open("rb") as stream:
        head = stream.read(512).lstrip().lower()
    for start, kind in _OTHER_FORMATS.items():
        if head.startswith(start):
            return kind
    size = path.stat().st_size
    return f"not a safetensors file, or a truncated one of {size} bytes" if size else "empty"


def _spec(sidecar: Path, facts: Any) -> LearnerSpec:
    try:
        if facts["schema"] > SCHEMA:
            raise CheckpointError(
                f"{sidecar}: written by a newer metarobust (schema {facts['schema']}, this one "
                f"reads {SCHEMA}); upgrade"
            )
        learner = facts["learner"]
        _ = facts["weights"]
        input_shape = tuple(int(side) for side in learner["input_shape"])
        if math.prod(input_shape) > LARGEST_INPUT:
            raise ValueError(f"input_shape: at most {LARGEST_INPUT:,} values, got {input_shape}")
        return LearnerSpec(
            name=str(learner["name"]),
            backbone=str(learner["backbone"]),
            input_shape=input_shape,
            options=dict(learner["options"]),
            backbone_options=dict(learner["backbone_options"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise CheckpointError(
            f"{sidecar}: not a metarobust sidecar: expected the keys schema, learner, weights "
            f"({type(problem).__name__}: {problem})"
        ) from None


def _check_fit(path: Path, tensors: Mapping[str, torch.Tensor], learner: Learner) -> None:
    wanted = learner.state_dict()
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or extra:
        raise CheckpointError(
            f"{path} does not fit its learner: missing {missing[:5] or 'none'}, "
            f"unexpected {extra[:5] or 'none'}"
        )
    for key, value in wanted.items():
        if value.shape != tensors[key].shape:
            raise CheckpointError(
                f"{path}: '{key}' has shape {list(tensors[key].shape)}, the learner expects "
                f"{list(value.shape)}"
            )
