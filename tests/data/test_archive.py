import zipfile

import pytest

from metarobust.core.errors import DataError
from metarobust.data.archive import Limits, open_source

FILES = {"b/2.png": b"two", "a/1.png": b"one", ".hidden/x": b"", "__MACOSX/a/1.png": b"junk"}


@pytest.mark.parametrize("target", ["folder", "archive.zip"])
def test_a_folder_and_a_zip_read_alike(tmp_path, write_tree, target):
    write_tree(tmp_path / target, FILES)
    with open_source(tmp_path / target) as source:
        assert source.names == ("a/1.png", "b/2.png")
        assert [source.read(name) for name in source.names] == [b"one", b"two"]
        assert source.links_skipped == 0


@pytest.mark.parametrize("target", ["folder", "archive.zip"])
def test_the_fingerprint_follows_the_content(tmp_path, write_tree, target):
    def fingerprint(files):
        write_tree(tmp_path / target, files)
        with open_source(tmp_path / target) as source:
            return source.fingerprint()

    first = fingerprint(FILES)
    with open_source(tmp_path / target) as source:
        assert source.fingerprint() == first
    assert fingerprint({**FILES, "a/1.png": b"longer"}) != first


def test_links_inside_the_root_are_not_followed(tmp_path, write_tree):
    root = write_tree(tmp_path / "root", {"a/1.png": b"one"})
    (root / "a" / "loop").symlink_to(root, target_is_directory=True)
    (root / "a" / "self").symlink_to(root / "a" / "self")
    (root / "a" / "copy.png").symlink_to(root / "a" / "1.png")
    with open_source(root) as source:
        assert source.names == ("a/1.png",)
        assert source.links_skipped == 3


def test_the_root_itself_may_be_a_link(tmp_path, write_tree):
    write_tree(tmp_path / "root", {"a/1.png": b"one"})
    (tmp_path / "link").symlink_to(tmp_path / "root")
    with open_source(tmp_path / "link") as source:
        assert source.names == ("a/1.png",)


def test_nothing_is_extracted(tmp_path, write_tree):
    path = write_tree(tmp_path / "a.zip", FILES)
    with open_source(path) as source:
        source.read("a/1.png")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["folder", "archive.zip"])
def test_the_number_of_files_is_capped(tmp_path, write_tree, target):
    write_tree(tmp_path / target, {f"{i}.png": b"" for i in range(5)})
    with (
        pytest.raises(DataError, match="more than 4 files"),
        open_source(tmp_path / target, Limits(files=4)),
    ):
        pass


def test_the_size_of_a_file_is_capped(tmp_path, write_tree):
    root = write_tree(tmp_path / "root", {"a.png": b"12345"})
    with (
        open_source(root, Limits(file_bytes=4)) as source,
        pytest.raises(DataError, match=r"'a\.png' has 5 bytes; the limit is 4"),
    ):
        source.read("a.png")
    path = write_tree(tmp_path / "a.zip", {"a.png": b"12345"})
    with (
        pytest.raises(DataError, match=r"'a\.png' unpacks to 5 bytes"),
        open_source(path, Limits(file_bytes=4)),
    ):
        pass


def test_the_total_of_a_zip_is_capped(tmp_path, write_tree):
    path = write_tree(tmp_path / "a.zip", {"a.png": b"12345", "b.png": b"12345"})
    with (
        pytest.raises(DataError, match="decompression bomb"),
        open_source(path, Limits(total_bytes=9)),
    ):
        pass


def test_a_real_archive_is_far_from_the_ratio(real_data):
    path = real_data("images_background_small1.zip")
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
    assert total < Limits().ratio * path.stat().st_size / 10
    with open_source(path) as source:
        assert len(source.names) == 2720
