"""A project as a user has it, but tiny: pictures in a zip, trained-looking learners, YAML files."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from metarobust.assembly.checkpoint import save_checkpoint
from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.config.yaml import dump_yaml
from tests.support.pattern_set import pattern_set

SHAPE = (1, 16, 16)
PROTOCOL = {"ways": 3, "shots": 2, "queries": 2, "attacker_queries": 2}
MLP = {"name": "mlp", "width": 8, "depth": 1}


@dataclass(frozen=True)
class TinyProject:
    """Files of a session; tests read them and write elsewhere.

    Attributes:
        folder: where they lie.
        pictures: a zip of train/ val/ test/ class folders, 16x16 grey.
        protonet: a checkpoint with running statistics.
        maml: a checkpoint with statistics of the support set, 3 ways.
    """

    folder: Path
    pictures: Path
    protonet: Path
    maml: Path

    @property
    def dataset(self) -> dict[str, Any]:
        return {"name": "folder", "root": str(self.pictures), "size": 16, "channels": 1}

    def audit(self, **changes: Any) -> dict[str, Any]:
        """The mapping of an audit configuration: two cells, four episodes in two blocks."""
        return {
            "name": "tiny",
            "dataset": self.dataset,
            "protocol": dict(PROTOCOL),
            "episodes": 4,
            "learners": [str(self.protonet)],
            "threats": [{"recipe": "noise-linf", "eps": 0.1}],
            "device": "cpu",
            "block": 2,
            "workers": 1,
            **changes,
        }

    def training(self, **changes: Any) -> dict[str, Any]:
        """The mapping of a training configuration: a prototypical network of one hidden layer."""
        return {
            "name": "tiny",
            "dataset": self.dataset,
            "learner": {"name": "protonet", "backbone": dict(MLP)},
            "protocol": {"ways": 3, "shots": 2, "queries": 2},
            "iterations": 12,
            "tasks": 2,
            "optimiser": {"rate": 1e-2},
            "validation": {"every": 4, "episodes": 6},
            "device": "cpu",
            "checkpoint_every": 3,
            **changes,
        }


def write_yaml(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(dump_yaml(dict(content)), encoding="utf-8")
    return path


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write_pictures(path: Path, images: int = 10) -> Path:
    """A zip of PART/CLASS/IMAGE."""
    data = pattern_set(shape=SHAPE, images=images)
    with zipfile.ZipFile(path, "w") as archive:
        for part, classes in data.splits.items():
            for c in classes:
                for k, row in enumerate(data.class_rows[c]):
                    archive.writestr(f"{part}/class {c}/{k}.png", png(data.images[row, 0]))
    return path


def save_learner(path: Path, name: str, *, seed: int = 0, **options: Any) -> Path:
    """A checkpoint of untrained weights, which can tell the classes apart."""
    spec = LearnerSpec(name, "mlp", SHAPE, options, {"width": 8, "depth": 1})
    facts = {"training": {"threat": "none"}, "dataset": {"name": "made up"}}
    save_checkpoint(path, build_learner(spec, seed), spec, facts)
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    folder = tmp_path_factory.mktemp("tiny")
    return TinyProject(
        folder=folder,
        pictures=write_pictures(folder / "pictures.zip"),
        protonet=save_learner(folder / "protonet.safetensors", "protonet"),
        maml=save_learner(
            folder / "maml.safetensors", "maml", ways=3, inner_steps=2, inner_rate=0.1
        ),
    )


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tiny: TinyProject) -> Iterator[None]:
    """Decoded pictures of tests stay among the files of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAROBUST_CACHE", str(tiny.folder / "cache"))
        yield
