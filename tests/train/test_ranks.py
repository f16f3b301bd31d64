"""Two processes train as one does: the same weights to rounding, and the same as each other."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from metarobust.config.train import TrainConfig
from metarobust.core.errors import ConfigError
from metarobust.train.build import check_shareable
from metarobust.train.ranks import Alone, join

DRIVER = Path(__file__).with_name("rank_driver.py")
CPU = torch.device("cpu")


class Several(Alone):
    """One process that believes it is one of several."""

    def __init__(self, index, count):
        super().__init__(CPU)
        self.index, self.count = index, count


def weights(folder, processes):
    subprocess.run(
        [sys.executable, str(DRIVER), str(folder), str(processes)],
        check=True,
        timeout=300,
        capture_output=True,
    )
    return [load_file(folder / f"{processes}-{rank}.safetensors") for rank in range(processes)]


def test_two_processes_end_where_one_does(tmp_path):
    pytest.importorskip("lightning_fabric")
    (alone,) = weights(tmp_path, 1)
    first, second = weights(tmp_path, 2)
    assert all(value.dtype == torch.float64 for value in alone.values())
    for key, value in alone.items():
        assert torch.equal(first[key], second[key]), "processes drifted apart"
        torch.testing.assert_close(first[key], value, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("count", "tasks"), [(1, 3), (2, 4), (3, 4), (4, 4)])
def test_every_task_is_taken_once(count, tasks):
    taken = [task for index in range(count) for task in Several(index, count).own(tasks)]
    assert sorted(taken) == list(range(tasks))


def config(**changes):
    return TrainConfig.model_validate(
        {
            "name": "x",
            "dataset": "glyphs",
            "learner": {"name": "protonet", "backbone": "conv4"},
            "iterations": 1,
            "validation": {"every": 1, "episodes": 1},
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": 2}, "at least one for each of the 3 processes, got 2"),
        ({"objective": "classification"}, "use one process"),
    ],
)
def test_what_cannot_be_shared_is_refused(changes, message):
    check_shareable(config(**changes), Several(0, 1))
    with pytest.raises(ConfigError, match=message):
        check_shareable(config(**changes), Several(0, 3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="torch sees 0 GPUs"):
        join(2, "cuda")
