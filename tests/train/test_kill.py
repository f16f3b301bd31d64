"""`kill -9` in the middle of meta-training, then the same command: the same bits at the end."""

import os
import signal
import sys

import pytest
import safetensors

from metarobust.config.train import TrainConfig
from metarobust.core.jsonio import read_json
from metarobust.train.loop import train
from tests.support.processes import finish, start, wait_for
from tests.support.tiny_project import write_yaml

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def iterations_done(folder):
    try:
        with safetensors.safe_open(folder / "state.safetensors", framework="pt") as file:
            progress = file.metadata()["progress"]
    except (OSError, safetensors.SafetensorError):
        return 0
    return int(progress.partition('"iteration":')[2].partition("}")[0].partition(",")[0])


def kill_training(tiny, tmp_path, *, kills, iterations):
    validation = {"every": iterations // 2, "episodes": 6}
    settings = tiny.training(iterations=iterations, validation=validation, checkpoint_every=5)
    write_yaml(tmp_path / "train.yaml", settings)
    folder = tmp_path / "runs" / "tiny"
    before = 0
    for _ in range(kills):
        process = start("train", "train.yaml", folder=tmp_path)
        assert wait_for(lambda before=before: iterations_done(folder) > before + 10)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        before = iterations_done(folder)
        assert before < iterations, "the kill came too late: the work is too short"
    code, out, err = finish(start("train", "train.yaml", folder=tmp_path))
    assert (code, out) == (0, ""), err

    quiet = tmp_path / "quiet"
    train(TrainConfig.model_validate(settings), quiet, {}, lambda *step: None)
    for name in ("tiny.safetensors", "state.safetensors", "history.csv", "history.json"):
        assert (folder / name).read_bytes() == (quiet / name).read_bytes(), name
    killed, whole = (read_json(place / "tiny.json") for place in (folder, quiet))
    for key in ("learner", "weights", "training", "dataset", "validation"):
        assert killed[key] == whole[key], key


def test_one_kill(tiny, tmp_path):
    kill_training(tiny, tmp_path, kills=1, iterations=120)


@pytest.mark.slow
def test_five_kills(tiny, tmp_path):
    kill_training(tiny, tmp_path, kills=5, iterations=1500)
