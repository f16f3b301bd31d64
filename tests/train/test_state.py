"""The state of training: whole, exact, never another experiment's."""

import json

import pytest
import safetensors.torch
import torch
from torch import nn

from metarobust.core.errors import CheckpointError
from metarobust.train.state import Progress, load_state, save_state

OPTIMISERS = {
    "adam": lambda module: torch.optim.Adam(module.parameters(), 0.01, weight_decay=0.1),
    "sgd": lambda module: torch.optim.SGD(module.parameters(), 0.1, momentum=0.9, nesterov=True),
}
every_optimiser = pytest.mark.parametrize("name", OPTIMISERS)
MINE = ("mine", "mine in its first form")
HISTORY = [{"iteration": 3, "accuracy": 0.1 + 0.2, "standard_error": None}]


def module(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def steps(net, optimiser, count, seed=9):
    source = torch.Generator().manual_seed(seed)
    for _ in range(count):
        loss = net(torch.rand(8, 3, generator=source)).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()


@pytest.fixture
def saved(tmp_path):
    net = module(0)
    optimiser = OPTIMISERS["adam"](net)
    steps(net, optimiser, 3)
    save_state(tmp_path / "state.safetensors", Progress(3, HISTORY, "mine"), net, optimiser)
    return tmp_path / "state.safetensors"


@every_optimiser
def test_a_restored_run_goes_on_in_the_same_bits(tmp_path, name):
    net = module(0)
    optimiser = OPTIMISERS[name](net)
    steps(net, optimiser, 3)
    path = tmp_path / "state.safetensors"
    save_state(path, Progress(3, HISTORY, "mine"), net, optimiser)
    other = module(1)
    restored = OPTIMISERS[name](other)
    progress = load_state(path, MINE, other, restored)
    assert (progress.iteration, progress.history) == (3, HISTORY)
    for run in ((net, optimiser), (other, restored)):
        steps(*run, 4, seed=10)
    for key, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[key], value), key


def test_without_a_file_everything_is_fresh(tmp_path):
    net = module(0)
    before = net[0].weight.clone()
    progress = load_state(tmp_path / "none", MINE, net, OPTIMISERS["adam"](net))
    assert (progress.iteration, progress.history, progress.experiment) == (0, [], "mine")
    assert torch.equal(net[0].weight, before)


def test_it_is_no_pickle_and_leaves_no_other_file(saved):
    assert [p.name for p in saved.parent.iterdir()] == ["state.safetensors"]
    with safetensors.safe_open(saved, framework="pt") as file:
        assert json.loads(file.metadata()["progress"])["iteration"] == 3


def refused(path, message, experiment=MINE):
    net = module(1)
    before = net[0].weight.clone()
    with pytest.raises(CheckpointError, match=message) as caught:
        load_state(path, experiment, net, OPTIMISERS["adam"](net))
    assert "\n" not in str(caught.value)
    assert torch.equal(net[0].weight, before)


def test_another_experiment_is_refused(saved):
    refused(
        saved,
        "belongs to another experiment: .* choose another name",
        experiment=("another", "other"),
    )


def test_a_state_marked_in_its_first_form_goes_on_and_is_marked_anew(saved):
    net = module(1)
    progress = load_state(saved, ("mine by content", "mine"), net, OPTIMISERS["adam"](net))
    assert (progress.iteration, progress.experiment) == (3, "mine by content")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x80\x04pickle", b"{}"])
def test_what_is_not_a_state_is_refused(saved, content):
    saved.write_bytes(content)
    refused(saved, "not a training state of ours, or a damaged one")


def test_a_truncated_state_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-5])
    refused(saved, "not a training state of ours, or a damaged one")


def test_a_checkpoint_in_the_place_of_a_state_is_refused(saved):
    safetensors.torch.save_file({"w": torch.ones(2)}, saved)
    refused(saved, "not a training state of ours")


def test_a_flipped_byte_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-3] ^= 0x40
    saved.write_bytes(content)
    refused(saved, "its tensors are not those that were saved")
