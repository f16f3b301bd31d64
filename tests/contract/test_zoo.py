"""Every trained learner of the zoo loads, is what its sidecar says, and scores what it says."""

import pytest

from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.config.loading import bundled_names, load_config
from metarobust.config.train import TrainConfig
from metarobust.core.bundled import bundled
from metarobust.learners.catalogue import LEARNERS
from metarobust.train.build import make_validator
from metarobust.train.validate import clean_accuracy

ZOO = bundled("configs") / "zoo"
SHIPPED = {
    *(f"{name}-glyphs" for name in LEARNERS),
    *(f"{name}-glyphs-{way}" for name in ("protonet", "maml", "anil") for way in ("aq", "as")),
}
NAMES = sorted(path.stem for path in ZOO.glob("*.safetensors"))


def test_the_zoo_is_there_and_small():
    assert set(NAMES) == SHIPPED, "every learner clean, three of them adversarially trained too"
    assert sum(path.stat().st_size for path in ZOO.iterdir()) < 6_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_sidecar_says_how_to_make_it_again(name):
    facts = load_checkpoint(name).facts
    assert facts["command"] == ["metarobust", "train", name]
    assert name in bundled_names("train")
    config = load_config(TrainConfig, name, "train")
    assert facts["training"]["threat"] == config.objective.threat
    assert facts["versions"]["torch"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_meta_val_accuracy_is_that_of_the_sidecar(name):
    checkpoint = load_checkpoint(name)
    facts = checkpoint.facts
    config = TrainConfig.model_validate(facts["training"]["config"])
    dataset = load_dataset(config.dataset.name, config.dataset.options)
    if dataset.digest != facts["dataset"]["digest"]:
        pytest.skip("other versions of matplotlib or Pillow draw other glyphs")
    episodes = config.validation.episodes
    sampler = make_validator(config, dataset).sampler
    accuracy, _ = clean_accuracy(checkpoint.learner, sampler, episodes, "loop")
    # 25 queries an episode; another machine's rounding may flip a handful of near ties.
    assert accuracy == pytest.approx(facts["validation"]["accuracy"], abs=0.003)
