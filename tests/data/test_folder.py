import numpy as np
import pytest

from metarobust.core.errors import DataError
from metarobust.data.folder import folder


@pytest.fixture
def classes(noise_png):
    """A function from class folders to {name: bytes}, three pictures each."""

    def make(*names):
        return {
            f"{name}/{k}.png": noise_png(1000 * i + k)
            for i, name in enumerate(names)
            for k in range(3)
        }

    return make


@pytest.mark.parametrize("target", ["pets", "pets.zip"])
@pytest.mark.parametrize("wrapper", ["", "pets-v1/"])
def test_parts_of_the_source_are_the_splits(tmp_path, classes, write_tree, target, wrapper):
    names = [f"{wrapper}{n}" for n in ("train/cat", "train/dog", "validation/owl", "test/fox")]
    root = write_tree(tmp_path / target, {**classes(*names), f"{wrapper}README.md": b"hello"})
    data = folder(root=root, size=10, channels=3, cache=tmp_path / "cache")
    assert data.name == "pets"
    assert data.images.shape == (12, 3, 10, 10)
    named = {part: [data.class_names[c] for c in ids] for part, ids in data.splits.items()}
    assert named == {"train": ["cat", "dog"], "val": ["owl"], "test": ["fox"]}
    assert data.info["files_skipped"] == 1


def test_pixels_are_those_of_the_files(tmp_path, png, write_tree):
    rng = np.random.default_rng(0)
    pixels = {f"{c}/{k}.png": rng.integers(0, 256, (6, 6, 3), np.uint8) for c in "ab" for k in "01"}
    root = write_tree(tmp_path / "r", {name: png(array) for name, array in pixels.items()})
    data = folder(root=root, size=6, cache=tmp_path / "cache")
    expected = np.stack([pixels[name].transpose(2, 0, 1) for name in sorted(pixels)])
    np.testing.assert_array_equal(data.images, expected)
    assert data.labels.tolist() == [0, 0, 1, 1]


def test_classes_without_parts_are_split_by_seed(tmp_path, classes, write_tree):
    root = write_tree(tmp_path / "r", classes(*(f"c{i}" for i in range(10))))

    def load(seed):
        return folder(root=root, size=8, channels=1, split_seed=seed, cache=tmp_path / "cache")

    data = load(0)
    assert {part: len(ids) for part, ids in data.splits.items()} == {
        "train": 6,
        "val": 2,
        "test": 2,
    }
    assert load(0).splits == data.splits
    assert any(load(seed).splits != data.splits for seed in (1, 2, 3))
    assert "seed 0" in data.info["split"]


def test_a_declared_split_wins(tmp_path, classes, write_tree):
    root = write_tree(tmp_path / "r", classes("train/a", "test/b", "test/c"))
    data = folder(
        root=root, size=8, split={"train": ["b"], "test": ["a"]}, cache=tmp_path / "cache"
    )
    assert data.info["split"] == "declared"
    assert [data.class_names[c] for c in data.splits["test"]] == ["a"]


def test_a_class_may_be_called_train(tmp_path, classes, write_tree):
    root = write_tree(tmp_path / "r", classes("train", "bus", "car"))
    data = folder(root=root, size=8, cache=tmp_path / "cache")
    assert data.class_names == ("bus", "car", "train")


def test_words_name_the_classes(tmp_path, classes, write_tree):
    words = b"n1\tcrane, a bird\nn2\tcrane, a machine\nn3\towl\nunused line\n"
    files = {**classes("train/n1", "train/n2", "test/n3", "test/n4"), "words.txt": words}
    data = folder(root=write_tree(tmp_path / "r.zip", files), size=8, cache=tmp_path / "cache")
    assert set(data.class_names) == {"crane (n1)", "crane (n2)", "owl", "n4"}


def test_a_changed_folder_is_decoded_again(tmp_path, classes, noise_png, write_tree):
    root = write_tree(tmp_path / "r", classes("a", "b"))
    before = folder(root=root, size=8, cache=tmp_path / "cache")
    write_tree(root, {"b/9.png": noise_png(99)})
    after = folder(root=root, size=8, cache=tmp_path / "cache")
    assert (len(before.images), len(after.images)) == (6, 7)
    assert before.digest != after.digest


def test_a_class_in_two_parts_is_refused(tmp_path, classes, write_tree):
    root = write_tree(tmp_path / "r", classes("train/a", "train/b", "test/b"))
    with pytest.raises(DataError, match="class folder 'b' is in both"):
        folder(root=root, cache=tmp_path / "cache")


def test_a_folder_beside_the_parts_is_refused(tmp_path, classes, write_tree):
    root = write_tree(tmp_path / "r", classes("train/a", "test/b", "extra/c"))
    with pytest.raises(DataError, match="test, train look like splits, but 'extra' stand beside"):
        folder(root=root, cache=tmp_path / "cache")


def test_the_real_few_shot_tiny_imagenet(real_data):
    data = folder(root=real_data("tiny-imagenet-fewshot.zip"), size=32, channels=3)
    assert data.images.shape == (13600, 3, 32, 32)
    sizes = {part: {len(data.class_rows[c]) for c in ids} for part, ids in data.splits.items()}
    assert sizes == {"train": {100}, "val": {60}, "test": {60}}
    assert {part: len(ids) for part, ids in data.splits.items()} == {
        "train": 100,
        "val": 30,
        "test": 30,
    }
    assert "bullfrog" in data.class_names
