import io
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.omniglot import omniglot


@pytest.fixture(scope="module")
def drawing(png):
    """A function from a seed to an official-looking drawing: one bit, ink 0 on 1, 105 x 105."""

    def make(seed):
        bits = np.ones((105, 105), bool)
        row, column = np.random.default_rng(seed).integers(5, 95, 2)
        bits[row : row + 9, column : column + 4] = False
        bits[50, seed % 100] = False
        return png(bits)

    return make


@pytest.fixture(scope="module")
def tree(drawing):
    """A function from a part and its alphabets to files: two characters of three drawings."""

    def make(part, alphabets):
        seed = sum(map(ord, part))
        return {
            f"{part}/{a}/character{c:02d}/{c:04d}_{k:02d}.png": drawing(seed + 97 * i + 7 * c + k)
            for i, a in enumerate(alphabets)
            for c in (1, 2)
            for k in (1, 2, 3)
        }

    return make


SMALL1 = ["Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"]
FULL = {
    "images_background": ["Arcadian", "Greek", "Tagalog", "Alphabet_of_the_Magi"],
    "images_evaluation": ["Angelic", "Atlantean"],
}


@pytest.mark.parametrize(
    ("written", "root"),
    [
        ("images_background_small1.zip", "images_background_small1.zip"),
        ("images_background_small1.zip", "."),
        (".", "images_background_small1"),
        (".", "."),
    ],
)
def test_every_layout_of_small1_gives_the_same_data(tmp_path, tree, write_tree, written, root):
    files = tree("images_background_small1", SMALL1)
    (tmp_path / "at").mkdir()
    write_tree(tmp_path / "at" / written, files)
    data = omniglot(root=tmp_path / "at" / root, cache=tmp_path / "cache")
    reference = omniglot(
        root=write_tree(tmp_path / "images_background_small1.zip", files), cache=tmp_path / "cache"
    )
    assert data.digest == reference.digest
    assert data.images.shape == (30, 1, 28, 28)
    assert data.info["subset"] == "small1"
    by_split = {s: sorted({data.groups[c] for c in ids}) for s, ids in data.splits.items()}
    assert by_split == {
        "train": ["Balinese", "Early_Aramaic", "Korean"],
        "val": ["Greek"],
        "test": ["Latin"],
    }


def test_ink_is_bright_on_black(tmp_path, tree, write_tree):
    files = tree("images_background_small1", SMALL1)
    root = write_tree(tmp_path / "images_background_small1.zip", files)
    data = omniglot(root=root, cache=tmp_path / "cache")
    assert "ink = 255 on 0" in data.info["polarity"]
    assert data.images.mean() < 20
    first = Image.open(io.BytesIO(files[sorted(files)[0]])).convert("L")
    inverted = 255 - np.asarray(first.resize((28, 28), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(data.images[0, 0], inverted)


def test_the_full_set_follows_the_official_split(tmp_path, tree, write_tree):
    for part, alphabets in FULL.items():
        write_tree(tmp_path / f"{part}.zip", tree(part, alphabets))
    data = omniglot(root=tmp_path, cache=tmp_path / "cache")
    by_split = {s: sorted({data.groups[c] for c in ids}) for s, ids in data.splits.items()}
    assert by_split == {
        "train": ["Arcadian", "Greek"],
        "val": ["Alphabet_of_the_Magi", "Tagalog"],
        "test": ["Angelic", "Atlantean"],
    }


def test_a_part_alone_needs_a_split(tmp_path, tree, write_tree):
    root = write_tree(tmp_path / "images_evaluation.zip", tree("images_evaluation", ["A", "B"]))
    with pytest.raises(ConfigError, match="evaluation alone has no official split"):
        omniglot(root=root, cache=tmp_path / "cache")
    data = omniglot(root=root, split={"val": ["A"], "test": ["B"]}, cache=tmp_path / "cache")
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 0, "val": 2, "test": 2}


def test_rotations_are_classes_of_the_same_split(tmp_path, tree, write_tree):
    root = write_tree(
        tmp_path / "images_background_small1.zip", tree("images_background_small1", SMALL1)
    )
    plain = omniglot(root=root, cache=tmp_path / "cache")
    turned = omniglot(root=root, rotations=True, cache=tmp_path / "cache")
    count = len(plain.class_names)
    assert len(turned.class_names) == 4 * count
    for c in range(count):
        originals = turned.images[turned.class_rows[c]]
        for k in range(4):
            copies = turned.images[turned.class_rows[c + k * count]]
            np.testing.assert_array_equal(copies, np.rot90(originals, k, axes=(2, 3)))
    for part, classes in turned.splits.items():
        assert {c % count for c in classes} == set(plain.splits[part])
        assert len(classes) == 4 * len(plain.splits[part])


def test_a_wrong_split_is_refused(tmp_path, tree, write_tree):
    files = tree("images_background_small1", SMALL1)
    root = write_tree(tmp_path / "images_background_small1.zip", files)
    for split, message in (
        (["Greek"], "expected lists under train, val and test"),
        ({"test": ["Klingon"]}, "unknown alphabet 'Klingon': known: Balinese"),
        ({"train": ["Latin"], "test": ["Latin"]}, "must be disjoint"),
    ):
        with pytest.raises(ConfigError, match=message):
            omniglot(root=root, split=split, cache=tmp_path / "cache")


def test_several_subsets_need_a_choice(tmp_path, tree, write_tree):
    for part in ("images_background_small1", "images_background_small2"):
        write_tree(tmp_path / f"{part}.zip", tree(part, ["Greek", "Latin"]))
    with pytest.raises(ConfigError, match="holds small1, small2; choose one"):
        omniglot(root=tmp_path)
    with pytest.raises(ConfigError, match="holds small1, small2, not 'full'"):
        omniglot(root=tmp_path, subset="full")
    chosen = {"train": ["Greek"], "test": ["Latin"]}
    data = omniglot(root=tmp_path, subset="small2", split=chosen, cache=tmp_path / "cache")
    assert data.info["subset"] == "small2"


def test_what_is_not_omniglot_is_refused(tmp_path, write_tree, drawing):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no Omniglot in"):
        omniglot(root=tmp_path / "empty")
    flat = write_tree(tmp_path / "images_evaluation.zip", {"A/1.png": drawing(0)})
    with pytest.raises(DataError, match=r"expected ALPHABET/characterNN/IMAGE\.png, got 'A/1.png'"):
        omniglot(root=flat, split={"test": ["A"]}, cache=tmp_path / "cache")


def test_the_official_small1(tmp_path, real_data):
    path = real_data("images_background_small1.zip")
    data = omniglot(root=path)
    assert data.images.shape == (2720, 1, 28, 28)
    assert len(data.class_names) == 136
    assert {len(rows) for rows in data.class_rows} == {20}
    assert {part: len(ids) for part, ids in data.splits.items()} == {
        "train": 86,
        "val": 24,
        "test": 26,
    }
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    small = tmp_path / "images_background_small1"
    for alphabet in ("Balinese", "Korean", "Early_Aramaic"):
        shutil.rmtree(small / alphabet)
    part = omniglot(root=small, split={"test": ["Latin"]}, cache=tmp_path / "cache")
    latin = np.flatnonzero(np.array(data.groups)[data.labels] == "Latin")
    again = np.flatnonzero(np.array(part.groups)[part.labels] == "Latin")
    np.testing.assert_array_equal(part.images[again], data.images[latin])
