import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.sampler import EpisodeSampler, Protocol


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@settings(deadline=None, max_examples=40)
@given(
    ways=st.integers(2, 5),
    shots=st.integers(1, 4),
    queries=st.integers(1, 3),
    attackers=st.integers(0, 3),
    seed=st.integers(0, 2**40),
    index=st.integers(0, 10**6),
)
def test_an_episode_is_what_the_protocol_says(
    make_dataset, ways, shots, queries, attackers, seed, index
):
    data = make_dataset([12, 10, 11, 15, 10, 13])
    protocol = Protocol(ways, shots, queries, attackers)
    episode = EpisodeSampler(data, protocol, seed)[index]
    assert episode.ways == ways
    assert len(set(episode.class_ids.tolist())) == ways
    assert int(episode.number) == index
    ids = torch.cat([episode.support_ids, episode.query_ids, episode.attacker_ids])
    assert len(set(ids.tolist())) == len(ids) == ways * protocol.images_per_class
    for kind, each in (("support", shots), ("query", queries), ("attacker", attackers)):
        x, y, rows = (getattr(episode, f"{kind}_{part}") for part in ("x", "y", "ids"))
        assert y.tolist() == [label for label in range(ways) for _ in range(each)]
        assert data.labels[rows].tolist() == episode.class_ids[y].tolist()
        assert x.shape == (ways * each, 1, 4, 4)
        assert x.dtype == torch.float32
        pixels = torch.from_numpy(data.images[rows])
        assert torch.equal((x * 255).round().to(torch.uint8), pixels)


def test_an_episode_does_not_depend_on_what_came_before(make_dataset):
    data = make_dataset([20] * 8)
    first, second = (EpisodeSampler(data, Protocol(), 3) for _ in range(2))
    forwards = [first[i] for i in range(6)]
    backwards = [second[i] for i in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))


def test_the_global_generators_are_neither_read_nor_moved(make_dataset):
    sampler = EpisodeSampler(make_dataset([20] * 8), Protocol(), 3)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    episode = sampler[0]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert same(sampler[0], episode)


SCRIPT = """
import hashlib, numpy as np
from metarobust.data.base import Dataset
from metarobust.data.sampler import EpisodeSampler, Protocol
labels = np.repeat(np.arange(7), 16)
images = np.arange(7 * 16, dtype=np.uint8).reshape(-1, 1, 1, 1)
splits = {"train": (), "val": (), "test": tuple(range(7))}
data = Dataset("x", images, labels, tuple("abcdefg"), None, splits, "0" * 64)
digest = hashlib.sha256()
for replacement in ("classes", "disjoint"):
    sampler = EpisodeSampler(data, Protocol(shots=2, queries=1, attacker_queries=1,
                                            replacement=replacement), 5)
    for index in INDICES:
        for tensor in sampler[index]:
            digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


def test_an_episode_is_the_same_in_another_process(capsys):
    script = SCRIPT.replace("INDICES", "(4, 0, 2)")
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    exec(script, {})
    assert other.stdout == capsys.readouterr().out
    assert len(other.stdout.strip()) == len(hashlib.sha256().hexdigest())


def test_seeds_and_indices_differ(make_dataset):
    data = make_dataset([20] * 8)
    rows = {
        tuple(EpisodeSampler(data, Protocol(), seed)[index].support_ids.tolist())
        for seed in range(3)
        for index in range(5)
    }
    assert len(rows) == 15


def test_classes_are_drawn_evenly_and_in_any_order(make_dataset):
    sampler = EpisodeSampler(make_dataset([4] * 6), Protocol(3, 1, 1, 1), 0)
    drawn = torch.stack([sampler[i].class_ids for i in range(600)])
    # Each class is first in a sixth of 600 episodes: binomial, standard deviation 9.1.
    for place in range(3):
        counts = torch.bincount(drawn[:, place], minlength=6)
        assert (counts - 100).abs().max() < 5 * 9.2


def test_more_shots_keep_the_queries_and_extend_the_support(make_dataset):
    data = make_dataset([20] * 8)
    few, many = (EpisodeSampler(data, Protocol(shots=k), 0)[7] for k in (1, 5))
    assert torch.equal(few.class_ids, many.class_ids)
    assert torch.equal(few.query_x, many.query_x)
    assert torch.equal(few.attacker_ids, many.attacker_ids)
    assert torch.equal(few.support_ids, many.support_ids.reshape(5, 5)[:, 0])


def test_only_classes_of_the_split_take_part(make_dataset):
    splits = {"train": (0, 2, 4), "val": (1, 3), "test": (5,)}
    data = make_dataset([4] * 6, splits=splits)
    sampler = EpisodeSampler(data, Protocol(2, 1, 1, 1, split="train"), 0)
    assert sampler.capacity is None
    assert {c for i in range(30) for c in sampler[i].class_ids.tolist()} == {0, 2, 4}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(3, 14), min_size=3, max_size=9), st.integers(2, 3), st.integers(0, 1000)
)
def test_disjoint_episodes_share_no_image(make_dataset, counts, ways, seed):
    data = make_dataset(counts)
    sampler = EpisodeSampler(data, Protocol(ways, 1, 1, 1, replacement="disjoint"), seed)
    assert sampler.capacity is not None
    used = []
    for index in reversed(range(sampler.capacity)):
        episode = sampler[index]
        for name in ("support_ids", "query_ids", "attacker_ids"):
            used += getattr(episode, name).tolist()
        assert data.labels[episode.support_ids].tolist() == episode.class_ids.tolist()
    assert len(used) == len(set(used)) == sampler.capacity * ways * 3
    with pytest.raises(ConfigError, match=f"has episodes 0 to {sampler.capacity - 1}"):
        sampler[sampler.capacity]


def test_disjoint_episodes_use_all_images_where_they_fit(make_dataset):
    sampler = EpisodeSampler(
        make_dataset([20] * 10), Protocol(5, 2, 2, 1, replacement="disjoint"), 0
    )
    assert sampler.capacity == 10 * 20 // (5 * 5)


def test_a_negative_index_is_refused(make_dataset):
    with pytest.raises(ConfigError, match="episode -1"):
        EpisodeSampler(make_dataset([20] * 5), Protocol(), 0)[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ways": 0}, "protocol.ways: expected a whole number of at least 1, got 0"),
        ({"shots": 0}, "protocol.shots: .* at least 1, got 0"),
        ({"queries": 2.5}, "protocol.queries: .* got 2.5"),
        ({"attacker_queries": -1}, "protocol.attacker_queries: .* at least 0"),
        ({"split": "tset"}, "protocol.split: expected one of train, val, test, got 'tset'"),
        ({"replacement": "none"}, "expected classes or disjoint, got 'none'"),
    ],
)
def test_a_protocol_out_of_range_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(Protocol(), **changes)


def test_too_few_classes_are_refused_at_once(make_dataset):
    with pytest.raises(DataError, match="meta-test has 4 classes, 5-way"):
        EpisodeSampler(make_dataset([20] * 4), Protocol(), 0)


def test_too_few_images_are_refused_at_once_by_name(make_dataset):
    data = make_dataset([20, 14, 20, 20, 7])
    with pytest.raises(DataError) as caught:
        EpisodeSampler(data, Protocol(), 0)
    message = str(caught.value)
    assert "'class 1' has 14, 'class 4' has 7" in message
    assert "15 images per class (5 shots + 5 queries + 5 attacker's queries)" in message


def test_episodes_of_the_embedded_glyphs(glyph_set):
    sampler = EpisodeSampler(glyph_set, Protocol(), 0)
    episode = sampler[0]
    assert episode.support_x.shape == episode.query_x.shape == (25, 1, 28, 28)
    assert {glyph_set.groups[c] for c in episode.class_ids.tolist()} <= {"Armenian", "Georgian"}
    assert episode.support_x.min() >= 0
    assert episode.support_x.max() <= 1


@settings(deadline=None, max_examples=30)
@given(
    replacement=st.sampled_from(["classes", "disjoint"]),
    count=st.integers(1, 40),
    seed=st.integers(0, 2**40),
    index=st.integers(0, 1),
)
def test_distractors_are_of_other_classes_and_leave_the_episode_as_it_is(
    make_dataset, replacement, count, seed, index
):
    data = make_dataset([12, 10, 11, 15, 10, 13])
    protocol = Protocol(ways=2, shots=1, queries=1, attacker_queries=1, replacement=replacement)
    plain, sampler = (EpisodeSampler(data, protocol, seed) for _ in range(2))
    episode = sampler[index]
    found = sampler.distractors(episode, count)
    assert found.x.shape == (count, 1, 4, 4)
    assert len(set(found.ids.tolist())) == count
    rows = found.ids.numpy()
    outside = set(data.splits["test"]) - set(episode.class_ids.tolist())
    assert set(data.labels[rows].tolist()) <= outside
    pixels = torch.from_numpy(data.images[rows])
    assert torch.equal((found.x * 255).round().to(torch.uint8), pixels)
    assert same(sampler[index], plain[index])
    assert same(sampler.distractors(episode, count), plain.distractors(episode, count))
    assert same(found, plain.distractors(episode, count))


def test_fewer_distractors_are_some_of_the_more(make_dataset):
    sampler = EpisodeSampler(make_dataset([12] * 8), Protocol(ways=3, shots=1), seed=4)
    few, many = (sampler.distractors(sampler[5], count) for count in (3, 9))
    assert few.ids.tolist() == many.ids[:3].tolist()


def test_an_episode_of_all_classes_has_no_distractors(make_dataset):
    sampler = EpisodeSampler(make_dataset([12] * 3), Protocol(ways=3, shots=1), seed=0)
    with pytest.raises(ConfigError, match=r"1 distractor queries asked for, but meta-test has 0"):
        sampler.distractors(sampler[0], 1)
