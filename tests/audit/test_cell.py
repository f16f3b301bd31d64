"""One block of one cell: the evidence it leaves, and what it refuses to compute."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.attacks.convergence import Convergence
from metarobust.audit.cell import BlockTask, carry_out, run_block
from metarobust.audit.payload import ARRAYS, PICTURE, decode
from metarobust.audit.plan import make_plan, measure_scale
from metarobust.config.audit import AuditConfig
from metarobust.config.catalogue import load_recipe
from metarobust.core.bundled import bundled
from metarobust.core.errors import AttackError, CheckpointError, DataError
from metarobust.data.sampler import EpisodeSampler, Protocol
from tests.support.pattern_set import pattern_set
from tests.support.tiny_project import PROTOCOL, save_learner, write_pictures

EXAMPLE = bundled("attacks") / "examples"
PGD = {"recipe": "pgd-linf", "eps": 0.1, "steps": 2}
OF_A_THREAT = {
    "zero_budget_difference",
    "clean_logits_moved",
    "training_flags_changed",
    "random_state_changed",
    "rerun_difference",
}


def tasks(settings, allowed=()):
    """The task of each block of an audit, by the label of its threat and its first episode."""
    config = AuditConfig.model_validate(settings)
    allowed = frozenset(map(str, allowed))
    plan = make_plan(config, episodes=None, allowed_code=allowed)
    return {
        (block.cell.description["threat"]["name"], block.start): BlockTask(
            config=config.model_dump_json(),
            learner=block.cell.entry.model_dump_json(),
            recipe=block.cell.recipe and block.cell.recipe.model_dump_json(),
            allowed_code=allowed,
            scale=block.cell.scale,
            weights=block.cell.description["learner"]["weights"],
            dataset=plan.dataset["digest"],
            cell=block.cell.key,
            key=block.key,
            start=block.start,
            count=block.count,
        )
        for block in plan.blocks()
    }


def evidence(task):
    return decode(run_block(task).payload)


def test_a_block_leaves_the_evidence_of_its_episodes(tiny):
    todo = tasks(tiny.audit(threats=[PGD]))
    first, second = (run_block(todo["pgd-linf", start]) for start in (0, 2))
    assert (first.start, first.count, second.start) == (0, 2, 2)
    assert first.key == todo["pgd-linf", 0].key
    assert first.seconds > 0
    found = decode(first.payload)
    assert set(found.arrays) == {*ARRAYS, *Convergence._fields}
    assert found.arrays["logits"].shape == (2, 6, 3)
    assert found.arrays["number"].tolist() == [0, 1]
    assert decode(second.payload).arrays["number"].tolist() == [2, 3]
    assert (found.arrays["gradient_calls"] == 2 * 2 * 2).all()
    assert set(found.picture) == set(PICTURE)
    assert set(found.extras) == OF_A_THREAT
    assert not any(found.extras.values())
    assert not decode(second.payload).picture
    assert not decode(second.payload).extras


def test_the_clean_cell_holds_the_probes_of_its_learner(tiny):
    found = evidence(tasks(tiny.audit())["clean", 0]).extras
    assert not OF_A_THREAT & set(found)
    assert found["repeat_spread"] == found["probability_like"] == 0.0
    assert found["support_gradient"] > 0


def test_the_evidence_is_of_the_samplers_episodes(tiny):
    found = evidence(tasks(tiny.audit())["noise-linf", 0])
    options = {key: value for key, value in tiny.dataset.items() if key != "name"}
    sampler = EpisodeSampler(load_dataset("folder", options), Protocol(**PROTOCOL), 0)
    for e in range(2):
        episode = sampler[e]
        assert found.arrays["query_ids"][e].tolist() == episode.query_ids.tolist()
        assert found.arrays["support_ids"][e].tolist() == episode.support_ids.tolist()
        assert found.arrays["class_ids"][e].tolist() == episode.class_ids.tolist()
        assert found.arrays["labels"][e].tolist() == episode.query_y.tolist()
    np.testing.assert_array_equal(found.picture["query_clean"], sampler[0].query_x)
    moved = np.abs(found.picture["query"] - found.picture["query_clean"])
    assert 0.05 < moved.max() <= 0.1 + 1e-6


@pytest.mark.parametrize("threat", ["pgd-linf", "support-pgd-linf", "gaussian-noise", "label-flip"])
def test_the_numbers_do_not_depend_on_the_block_size(tiny, threat):
    changes = {"steps": 2} if "pgd" in threat else {}
    entries = [{"recipe": threat, **changes}]
    small, large = (tasks(tiny.audit(threats=entries, block=b)) for b in (1, 4))
    whole = evidence(large[threat, 0])
    parts = [evidence(small[threat, start]) for start in range(4)]
    for name in ARRAYS:
        joined = np.concatenate([part.arrays[name] for part in parts])
        np.testing.assert_array_equal(joined, whole.arrays[name], strict=True)


def test_the_same_task_gives_the_same_bytes(tiny):
    task = tasks(tiny.audit(threats=[PGD]))["pgd-linf", 0]
    assert run_block(task).payload == run_block(task).payload


def test_the_example_plug_in_runs_in_a_real_cell(tiny):
    settings = tiny.audit(threats=[str(EXAMPLE / "random-sign.yaml")])
    todo = tasks(settings, [EXAMPLE / "random_sign.py"])
    found, clean = evidence(todo["random-sign", 0]), evidence(todo["clean", 0])
    assert set(found.extras) == OF_A_THREAT
    assert not any(found.extras.values())
    assert (found.arrays["budget_used"] <= 8 / 255 + 1e-6).all()
    assert (found.arrays["objective_end"] >= found.arrays["objective_start"]).all()
    hits = [e.arrays["logits"].argmax(-1) == e.arrays["labels"] for e in (clean, found)]
    assert not (hits[1] & ~hits[0]).any(), "the clean point competes"


class TestWhatChanged:
    """What a block is computed from is what was planned with, or there is no block."""

    def test_the_checkpoint(self, tiny, tmp_path):
        path = save_learner(tmp_path / "x.safetensors", "protonet")
        task = tasks(tiny.audit(learners=[str(path)]))["clean", 0]
        run_block(task)
        save_learner(path, "protonet", seed=9)
        run_block(task)  # this process has read it already
        elsewhere = save_learner(tmp_path / "y.safetensors", "protonet", seed=9)
        unread = replace(task, learner=task.learner.replace(str(path), str(elsewhere)))
        with pytest.raises(CheckpointError, match="weights changed after the audit was planned"):
            run_block(unread)

    def test_the_data(self, tiny, tmp_path):
        root = shutil.copy(tiny.pictures, tmp_path / "p.zip")
        task = tasks(tiny.audit(dataset={**tiny.dataset, "root": str(root)}))["clean", 0]
        other = write_pictures(tmp_path / "q.zip", images=11)
        unread = replace(task, config=task.config.replace(str(root), str(other)))
        with pytest.raises(DataError, match="files changed after the audit was planned"):
            run_block(unread)


VANDAL = """
import sys
from metarobust.attacks.pgd import PGD

class Vandal(PGD):
    def maximise(self, *arguments):
        frame = sys._getframe()
        while "learner" not in frame.f_locals:
            frame = frame.f_back
        for parameter in frame.f_locals["learner"].parameters():
            parameter.add_(1.0)
        {then}
        return super().maximise(*arguments)
"""


@pytest.mark.parametrize(
    ("then", "error"), [("pass", AttackError), ("raise KeyError('x')", KeyError)]
)
def test_a_threat_that_changes_the_learner_spoils_its_own_block_alone(tiny, tmp_path, then, error):
    (tmp_path / "vandal.py").write_text(VANDAL.format(then=then))
    (tmp_path / "vandal.yaml").write_text(
        "name: vandal\nsummary: Breaks things.\nengine: vandal.py:Vandal\nsurface: query\n"
        "knowledge: white-box\nnorm: linf\neps: 0.1\n"
    )
    settings = tiny.audit(threats=[str(tmp_path / "vandal.yaml")])
    todo = tasks(settings, [tmp_path / "vandal.py"])
    before = run_block(todo["clean", 2]).payload
    with pytest.raises(error, match=r"weights or buffers changed|x"):
        run_block(todo["vandal", 0])
    assert run_block(todo["clean", 2]).payload == before


@pytest.mark.parametrize("name", ["fgsm-linf", "pgd-linf", "support-pgd-linf"])
def test_scaled_logits_give_the_same_robust_set(tmp_path, name):
    """The squared distances of `centroid` are multiplied by 300 and no attack may notice."""
    data, protocol = pattern_set(noise=0.2), Protocol(**PROTOCOL)
    recipe = load_recipe(name).model_copy(update={"eps": 0.05, "steps": 4})
    recipe = recipe if name != "fgsm-linf" else load_recipe(name)
    episodes = [EpisodeSampler(data, protocol, 0)[number] for number in range(6)]
    predictions = []
    for scale in (10.0, 3000.0):
        path = save_learner(tmp_path / f"{scale}.safetensors", "centroid", scale=scale)
        learner = load_checkpoint(str(path)).learner.requires_grad_(False)
        measured = measure_scale(learner, data, protocol, 0)
        outcome = carry_out(build_threat(recipe), learner, episodes, 0, measured)
        predictions.append(outcome.logits.argmax(-1))
    assert torch.equal(*predictions)
