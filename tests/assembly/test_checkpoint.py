"""A checkpoint comes back bit for bit, or is refused in one line; no file ever runs code."""

import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from metarobust.assembly.checkpoint import (
    find_checkpoint,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
    weights_digest,
)
from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.core.errors import CheckpointError, MetarobustError
from metarobust.learners.catalogue import LEARNERS
from tests.support.episodes import make_episode

SPEC = LearnerSpec("protonet", "mlp", (1, 16, 16), {}, {"width": 4, "depth": 1})


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "here" / "learner.safetensors"
    save_checkpoint(path, build_learner(SPEC, 3), SPEC, {"seed": 3})
    return path


def edit_sidecar(path, **changes):
    sidecar = path.with_suffix(".json")
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **changes}))


def rewrite(path, change):
    """Save other tensors, with a sidecar that knows nothing of it."""
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("backbone", ["conv4", "mlp"])
def test_weights_and_answers_come_back_bit_for_bit(tmp_path, name, backbone):
    spec = LearnerSpec(name, backbone, (1, 16, 16), {"norm_mode": "running"}, {"width": 4})
    learner = build_learner(spec, 1)
    for key, tensor in learner.state_dict().items():
        tensor.add_(
            0.1 * torch.rand(tensor.shape, generator=torch.Generator().manual_seed(len(key)))
        )
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, learner, spec, {"dataset": {"name": "made up"}})
    found = load_checkpoint(str(path))
    assert found.spec == spec
    assert found.facts["dataset"] == {"name": "made up"}
    assert found.weights == weights_digest(learner)
    assert not found.learner.training
    episode = make_episode(ways=5)
    arguments = (episode.support_x, episode.support_y, episode.query_x, 5)
    assert torch.equal(found.learner(*arguments), learner(*arguments))


def test_test_time_options_replace_those_of_training(saved):
    assert load_checkpoint(str(saved), {"norm_mode": "batch"}).learner.transductive
    with pytest.raises(MetarobustError, match="protonet has no option 'inner_steps'"):
        load_checkpoint(str(saved), {"inner_steps": 3})


def test_the_digest_is_of_the_tensors_and_not_of_the_file(tmp_path, saved):
    again = tmp_path / "renamed.safetensors"
    save_checkpoint(again, build_learner(SPEC, 3), SPEC, {"seed": 4, "note": "later"})
    assert load_checkpoint(str(again)).weights == load_checkpoint(str(saved)).weights


def test_the_suffix_may_be_left_out_and_near_names_are_suggested(saved, tmp_path, monkeypatch):
    assert find_checkpoint(str(saved.with_suffix(""))) == saved
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "protonet-glyphs.safetensors").touch()
    monkeypatch.setattr("metarobust.assembly.checkpoint.bundled", lambda kind: tmp_path)
    assert find_checkpoint("protonet-glyphs").parent.name == "zoo"
    with pytest.raises(CheckpointError, match="did you mean 'protonet-glyphs'"):
        find_checkpoint("protonet-glyph")
    with pytest.raises(CheckpointError, match=r"no checkpoint 'a{300}'"):
        find_checkpoint("a" * 300)


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_is_refused_and_runs_nothing(saved):
    marker = saved.parent / "pwned"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        saved.write_bytes(pickle.dumps({"w": Evil(marker)}, protocol))
        with pytest.raises(CheckpointError, match="a pickle" if protocol > 1 else "not a safetens"):
            load_checkpoint(str(saved))
    torch.save({"w": Evil(marker)}, saved)
    with pytest.raises(CheckpointError, match="can contain code; refused: save the state_dict"):
        load_checkpoint(str(saved))
    assert not marker.exists()


def header(text, body=b""):
    return struct.pack("<Q", len(text)) + text + body


def claim(dtype="F32", shape=(4,), offsets=(0, 16), name="w"):
    return json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


OVERLAP = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' + claim()[1:]

FILES = {
    "whole module saved": (None, "a zip such as torch.save writes"),
    "Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "git lfs pull",
    ),
    "HTML page": (b"\n<!DOCTYPE html><html></html>", "an HTML page"),
    "HTML page in lower case": (b"<!doctype html>", "an HTML page"),
    "empty": (b"", "is empty"),
    "a few bytes": (b"\x01\x02", "truncated one of 2 bytes"),
    "header of 2^62 bytes": (struct.pack("<Q", 1 << 62) + b"{}", "not a safetensors file"),
    "header that is not JSON": (header(b"[[[["), "not a safetensors file"),
    "a tensor of 1e10 elements": (header(claim(shape=(10**10,)), bytes(16)), "not a safetensors"),
    "a tensor beyond the file": (header(claim(offsets=(0, 400)), bytes(16)), "truncated one"),
    "overlapping tensors": (header(OVERLAP, bytes(16)), "not a safetensors file"),
    "unknown number type": (header(claim(dtype="X9"), bytes(16)), "not a safetensors file"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_not_safetensors_is_called_by_its_name(saved, case):
    content, message = FILES[case]
    if content is None:
        torch.save(torch.nn.Linear(2, 2), saved)
    else:
        saved.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(str(saved))
    assert str(caught.value).startswith(str(saved))
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="not a safetensors file, or a truncated one of"):
        load_checkpoint(str(saved))


def test_a_flipped_byte_anywhere_in_the_tensors_is_noticed(saved):
    content = saved.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    for place in range(start, len(content), 97):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        saved.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"not those that were saved|NaN or infinity"):
            load_checkpoint(str(saved))


def test_a_sound_file_may_start_like_a_pickle(tmp_path):
    path, starts = tmp_path / "x.safetensors", set()
    for length in range(1, 100):
        safetensors.torch.save_file({"w" * length: torch.ones(2)}, path)
        starts.add(path.read_bytes()[:1])
        assert read_tensors(path).keys() == {"w" * length}
    assert b"\x80" in starts


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e5m2])
def test_weights_that_are_not_finite_are_refused_and_the_layer_named(saved, value, dtype):
    def spoil(tensors):
        tensors["backbone.layers.0.weight"][0, 0] = value
        tensors["backbone.layers.0.weight"] = tensors["backbone.layers.0.weight"].to(dtype)

    rewrite(saved, spoil)
    message = r"weights contain NaN or infinity in 'backbone\.layers\.0\.weight'"
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(saved))


def test_missing_and_unexpected_tensors_are_listed(saved):
    def rename(tensors):
        tensors["backbone.layers.0.wieght"] = tensors.pop("backbone.layers.0.weight")

    rewrite(saved, rename)
    message = r"missing \['backbone.layers.0.weight'\], unexpected \['backbone.layers.0.wieght'\]"
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(saved))


def test_a_shape_mismatch_names_both_shapes(saved):
    edit_sidecar(saved, learner={**SPEC.to_json(), "backbone_options": {"width": 6, "depth": 1}})
    message = r"'backbone.layers.0.weight' has shape \[4, 256\], the learner expects \[6, 256\]"
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(saved))


def test_a_sidecar_alone_cannot_fill_the_memory(saved):
    edit_sidecar(saved, learner={**SPEC.to_json(), "input_shape": [10**6, 10**6]})
    message = r"input_shape: at most 16,777,216 values, got \(1000000, 1000000\)"
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(saved))


SIDECARS = {
    "newer": ({"schema": 2}, r"written by a newer metarobust \(schema 2, this one reads 1\)"),
    "no schema": ({"schema": None}, "not a metarobust sidecar"),
    "no learner": ({"learner": None}, "not a metarobust sidecar"),
    "half a learner": ({"learner": {"name": "protonet"}}, "KeyError: 'input_shape'"),
    "unknown learner": ({"learner": {**SPEC.to_json(), "name": "protonets"}}, "did you mean"),
    "other weights": ({"weights": "0" * 64}, "not those that were saved .* sidecar says 000000"),
    "weights of a strange kind": ({"weights": 3}, "not those that were saved"),
    "options of a strange kind": (
        {"learner": {**SPEC.to_json(), "options": 3}},
        "not a metarobust",
    ),
}


@pytest.mark.parametrize("case", SIDECARS)
def test_a_bad_sidecar_is_refused(saved, case):
    changes, message = SIDECARS[case]
    edit_sidecar(saved, **changes)
    with pytest.raises(MetarobustError, match=message) as caught:
        load_checkpoint(str(saved))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON"),
        (b"[1, 2]", "not a metarobust sidecar"),
        (b"\xff\xfe", "expected JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"<html>", "expected JSON"),
    ],
)
def test_a_sidecar_that_is_not_ours_is_refused(saved, content, message):
    saved.with_suffix(".json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(str(saved))


def test_a_missing_sidecar_is_named(saved):
    saved.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"its sidecar learner\.json is missing"):
        load_checkpoint(str(saved))


def test_saving_leaves_two_files_and_nothing_else(saved):
    assert sorted(p.name for p in Path(saved.parent).iterdir()) == [
        "learner.json",
        "learner.safetensors",
    ]
