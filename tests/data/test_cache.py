import numpy as np
import pytest

from metarobust.core.errors import DataError
from metarobust.data.cache import cached_table, default_cache
from metarobust.data.table import make_table


def small_table():
    images = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2)
    info = {"polarity": "ink"}
    return make_table(
        images,
        np.array([0, 0, 1]),
        ["a", "b"],
        groups=["g", "g"],
        parts=["train", "test"],
        info=info,
    )


def never():
    raise AssertionError("built again")


def test_built_once_then_mapped(tmp_path):
    first = cached_table("x", {"v": 1}, small_table, tmp_path)
    again = cached_table("x", {"v": 1}, never, tmp_path)
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(again.images, small_table().images)
    np.testing.assert_array_equal(again.labels, [0, 0, 1])
    for name in ("class_names", "groups", "parts", "twins", "digest", "info"):
        assert getattr(again, name) == getattr(first, name) == getattr(small_table(), name)
    with pytest.raises(ValueError, match="read-only"):
        again.images[0] = 0


def test_another_key_is_another_entry(tmp_path):
    cached_table("x", {"v": 1}, small_table, tmp_path)
    with pytest.raises(AssertionError, match="built again"):
        cached_table("x", {"v": 2}, never, tmp_path)


@pytest.mark.parametrize("file", ["images.npy", "labels.npy", "table.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "empty"])
def test_a_damaged_entry_is_built_again(tmp_path, file, damage):
    cached_table("x", {}, small_table, tmp_path)
    (path,) = tmp_path.glob(f"*/{file}")
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    elif damage == "flip":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    else:
        path.write_bytes(content[:-5] if damage == "cut" else b"")
    mended = cached_table("x", {}, small_table, tmp_path)
    np.testing.assert_array_equal(mended.images, small_table().images)
    cached_table("x", {}, never, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_two_that_build_at_once_agree(tmp_path):
    def overtaken():
        cached_table("x", {}, small_table, tmp_path)
        return small_table()

    late = cached_table("x", {}, overtaken, tmp_path)
    assert late.digest == small_table().digest
    assert len(list(tmp_path.iterdir())) == 1


def test_a_pickle_in_the_cache_is_not_loaded(tmp_path):
    cached_table("x", {}, small_table, tmp_path)
    (path,) = tmp_path.glob("*/labels.npy")
    np.save(path, np.array([{"code": 1}], object), allow_pickle=True)
    assert cached_table("x", {}, small_table, tmp_path).labels.tolist() == [0, 0, 1]


def test_a_failed_build_leaves_nothing(tmp_path):
    with pytest.raises(AssertionError):
        cached_table("x", {}, never, tmp_path / "cache")
    assert list(tmp_path.rglob("*")) == []


def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="METAROBUST_CACHE"):
        cached_table("x", {}, small_table, tmp_path / "file")


def test_the_environment_chooses_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("METAROBUST_CACHE", str(tmp_path / "here"))
    assert default_cache() == tmp_path / "here"
    monkeypatch.delenv("METAROBUST_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "metarobust"
