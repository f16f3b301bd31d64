import gzip
import struct

import numpy as np
import pytest

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.idx import idx, read_idx


def encode(array):
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 6, 5), dtype=np.uint8)
    labels = np.repeat(np.array([1, 4, 9], np.uint8), 4)
    return images, labels


@pytest.fixture
def mnist(tmp_path, arrays):
    """A folder in the layout of MNIST: eight training pairs gzipped, four test pairs raw."""
    images, labels = arrays
    root = tmp_path / "mnist"
    root.mkdir()
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        (root / f"train-{kind}-ubyte.gz").write_bytes(gzip.compress(encode(array[:8])))
        (root / f"t10k-{kind}-ubyte").write_bytes(encode(array[8:]))
    return root


def test_all_parts_are_joined_by_class(tmp_path, mnist, arrays):
    square = idx(root=mnist, size=6, cache=tmp_path / "cache")
    assert square.images.shape == (12, 1, 6, 6)
    assert square.class_names == ("1", "4", "9")
    assert [len(rows) for rows in square.class_rows] == [4, 4, 4]
    assert square.splits == {"train": (), "val": (), "test": (0, 1, 2)}


def test_pixels_are_those_of_the_file(tmp_path, arrays):
    images = np.random.default_rng(1).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    labels = np.array([0, 1, 0, 1, 0, 1], np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(encode(images))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(encode(labels))
    data = idx(root=tmp_path, cache=tmp_path / "cache")
    np.testing.assert_array_equal(data.images[:, 0], images)
    assert data.labels.tolist() == labels.tolist()


def test_emnist_is_turned_upright(tmp_path, arrays):
    images = np.random.default_rng(2).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    (tmp_path / "emnist-letters-train-images-idx3-ubyte").write_bytes(encode(images))
    (tmp_path / "emnist-letters-train-labels-idx1-ubyte").write_bytes(
        encode(np.array([1, 1, 2, 2], np.uint8))
    )
    data = idx(root=tmp_path, prefix="emnist-letters", cache=tmp_path / "cache")
    np.testing.assert_array_equal(data.images[:, 0], images.transpose(0, 2, 1))


def test_classes_can_be_split(tmp_path, mnist):
    split = {"train": [9], "test": [1, "4"]}
    data = idx(root=mnist, size=8, split=split, cache=tmp_path / "cache")
    assert data.splits == {"train": (2,), "val": (), "test": (0, 1)}


def test_two_families_need_a_prefix(tmp_path, mnist):
    for path in list(mnist.iterdir()):
        (mnist / f"emnist-letters-{path.name}").write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match="emnist-letters; choose one"):
        idx(root=mnist)
    assert len(idx(root=mnist, prefix="emnist", cache=tmp_path / "cache").images) == 12


GOOD = encode(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG\r\n", "starts with 89 50 4e 47"),
        (GOOD[:10], "unsigned bytes with 3 dimensions"),
        (encode(np.arange(3, dtype=np.uint8)), "unsigned bytes with 3 dimensions"),
        (GOOD[:-1], "= 12 bytes, but it holds 11"),
        (GOOD + b"x", "= 12 bytes, but it holds more"),
        (GOOD[:4] + struct.pack(">3I", 10**6, 1000, 1000), "decompression bomb"),
        (GOOD[:4] + struct.pack(">3I", 0, 2, 2), "= 0 bytes, but it holds 0"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_malformed_file_is_refused(tmp_path, content, message, zipped):
    path = tmp_path / ("x-idx3-ubyte.gz" if zipped else "x-idx3-ubyte")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DataError, match=message):
        read_idx(path, 3)


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "x-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(GOOD)[:-12])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_idx(path, 3)


def test_a_gzip_bomb_is_refused(tmp_path):
    path = tmp_path / "x-idx3-ubyte.gz"
    header = bytes((0, 0, 8, 3)) + struct.pack(">3I", 40, 1000, 1000)
    path.write_bytes(gzip.compress(header + bytes(40_000_000), 9))
    with pytest.raises(DataError, match="claims 40000000 bytes in a file of"):
        read_idx(path, 3)


def test_images_and_labels_must_match(tmp_path, arrays):
    images, labels = arrays
    (tmp_path / "train-images-idx3-ubyte").write_bytes(encode(images))
    with pytest.raises(DataError, match="its label file is not beside it"):
        idx(root=tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(encode(labels[:5]))
    with pytest.raises(DataError, match="12 images, but train-labels-idx1-ubyte has 5 labels"):
        idx(root=tmp_path, cache=tmp_path / "cache")
    with pytest.raises(ConfigError, match=r"no kmnist\*images-idx3-ubyte"):
        idx(root=tmp_path, prefix="kmnist")
