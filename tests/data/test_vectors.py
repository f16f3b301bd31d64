"""Feature vectors: the affine map, both file formats, and files that cannot be trusted."""

import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.data.vectors import MARGIN, vectors

SPLITS = np.array(["train"] * 5 + ["val"] * 2 + ["test"] * 3)


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def npz(digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "digits.npz"
    np.savez(path, features=digits.data, labels=digits.target, splits=SPLITS)
    return path


def saved(path, **arrays):
    np.savez(path / "made.npz", **arrays)
    return path / "made.npz"


def small(rows=12, classes=3):
    features = np.random.default_rng(0).normal(size=(rows, 4))
    return {"features": features, "labels": np.arange(rows) % classes}


def test_the_map_takes_the_meta_train_range_into_the_middle_of_the_unit_interval(npz, digits):
    dataset = vectors(file=npz)
    known = digits.data[np.isin(digits.target, np.arange(5))]
    room = MARGIN * (known.max() - known.min())
    assert dataset.info["offset"] == pytest.approx(known.min() - room)
    assert dataset.info["scale"] == pytest.approx(np.ptp(known) + 2 * room)
    back = dataset.images * dataset.info["scale"] + dataset.info["offset"]
    np.testing.assert_allclose(back, digits.data, atol=1e-5)
    assert dataset.images.dtype == np.float32
    assert dataset.info["clipped_values"] == 0


def test_meta_test_vectors_do_not_move_the_map_and_are_cut_off(tmp_path):
    arrays = {**small(), "splits": np.array(["train", "val", "test"])}
    before = vectors(file=saved(tmp_path, **arrays))
    arrays["features"][2] = 1000.0
    after = vectors(file=saved(tmp_path, **arrays))
    assert after.info["scale"] == before.info["scale"]
    assert after.info["clipped_values"] - before.info["clipped_values"] == 4
    assert after.images.max() == 1
    assert after.digest != before.digest


def test_parquet_in_lists_or_columns_is_the_npz(npz, digits, tmp_path):
    same = {"label": digits.target, "split": SPLITS[digits.target]}
    numbered = {f"f{i}": digits.data[:, i] for i in range(digits.data.shape[1])}
    pq.write_table(pa.table({**same, "features": list(digits.data)}), tmp_path / "lists.parquet")
    pq.write_table(pa.table({**numbered, **same}), tmp_path / "columns.parquet")
    digests = {
        vectors(file=path).digest
        for path in (npz, tmp_path / "lists.parquet", tmp_path / "columns.parquet")
    }
    assert len(digests) == 1


def test_an_episode_holds_the_scaled_vectors(npz):
    dataset = vectors(file=npz)
    episode = EpisodeSampler(dataset, Protocol(3, 2, 2, 1), 0)[0]
    assert episode.support_x.shape == (6, 64)
    np.testing.assert_array_equal(episode.support_x, dataset.images[episode.support_ids])


def test_named_classes_and_groups_keep_their_order(tmp_path):
    arrays = small()
    names = np.array(["a", "b", "c"])
    dataset = vectors(
        file=saved(
            tmp_path,
            features=arrays["features"],
            labels=names[arrays["labels"]],
            class_names=names[::-1],
            groups=np.array(["x", "y", "z"]),
        ),
        split={"train": ["a"], "val": ["b"], "test": ["c"]},
    )
    assert dataset.class_names == ("c", "b", "a")
    assert dataset.groups == ("x", "y", "z")
    assert dataset.splits["train"] == (2,)
    assert dataset.labels.tolist() == [2, 1, 0] * 4


def test_without_meta_train_classes_a_range_is_needed(tmp_path):
    path = saved(tmp_path, **small(), splits=np.array(["test"] * 3))
    with pytest.raises(ConfigError, match="feature_range: there are no meta-train classes"):
        vectors(file=path)
    dataset = vectors(file=path, feature_range=[-8, 8])
    assert (dataset.info["offset"], dataset.info["scale"]) == (-8, 16)
    with pytest.raises(ConfigError, match="the smaller first"):
        vectors(file=path, feature_range=[1, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": np.array([[np.nan, 1.0]] * 12)}, "NaN or infinite"),
        ({"features": np.zeros(12)}, r"expected features as numbers \[n, D\]"),
        ({"features": np.zeros((12, 0))}, r"expected features as numbers \[n, D\]"),
        ({"features": np.array([["a", "b"]] * 12)}, "expected features as numbers"),
        ({"features": np.array([[{}]] * 12, dtype=object)}, "damaged, or no npz of plain arrays"),
        ({"features": np.ones((12, 2))}, "nothing to learn"),
        ({"labels": np.arange(5)}, "one label for each of 12 vectors"),
        ({"labels": np.linspace(0, 1, 12)}, "whole numbers or names"),
        ({"class_names": np.array(["a", "a", "b"])}, "two classes share a name"),
        ({"class_names": np.array(["a", "b"])}, "labels must lie in 0 to 1"),
        ({"class_names": np.array(["a", "b", "c", "d"])}, "without a single image: 'd'"),
        ({"groups": np.array(["a"])}, "expected groups as one text for each of 3 classes"),
        ({"splits": np.array(["train", "val", "exam"])}, "splits train, val and test, got 'exam'"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        vectors(file=saved(tmp_path, **{**small(), **changes}))


def test_files_that_are_something_else_are_refused(tmp_path):
    for name in ("text.npz", "text.parquet"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(DataError, match="damaged"):
            vectors(file=tmp_path / name)
    with pytest.raises(ConfigError, match=r"expected an \.npz or \.parquet file"):
        vectors(file=tmp_path / "absent.npz")
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(ConfigError, match=r"ends in \.npz or \.parquet, got a.csv"):
        vectors(file=tmp_path / "a.csv")


def test_a_decompression_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        stream = io.BytesIO()
        np.save(stream, np.zeros((1, 1 << 24), dtype=np.uint8))
        archive.writestr("features.npy", stream.getvalue())
    with pytest.raises(DataError, match="decompression bomb"):
        vectors(file=path)


def test_parquet_rows_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"label": [0, 1], "features": [[1.0], [1.0, 2.0]]}), path)
    with pytest.raises(DataError, match="lists of one length"):
        vectors(file=path)
    pq.write_table(pa.table({"label": [0, 0], "f0": [1.0, 2.0], "split": ["val", "test"]}), path)
    with pytest.raises(DataError, match="classes whose rows disagree in 'split': '0'"):
        vectors(file=path)
    pq.write_table(pa.table({"name": [0]}), path)
    with pytest.raises(DataError, match="expected the columns label and features"):
        vectors(file=path)
