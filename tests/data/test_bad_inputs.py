"""Every bad input that a data set can meet: one clear line, and nothing written outside."""

import io
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from metarobust.core.errors import MetarobustError
from metarobust.data.folder import folder
from metarobust.data.idx import idx
from metarobust.data.omniglot import omniglot
from metarobust.data.sampler import EpisodeSampler, Protocol


def picture(seed=0, fmt="PNG", **options):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, fmt, **options)
    return stream.getvalue()


def png_header(width, height):
    """A PNG that promises a size and holds no pixel: only the header can be read."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\x35\xaf\x06\x1e"


def animation():
    stream = io.BytesIO()
    frames = [Image.new("L", (8, 8), value) for value in (0, 100, 200)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def write_zip(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, content in files:
            archive.writestr(name, content)
    return path


def in_class(content, name="a/bad.png"):
    """A zip of two classes, one of which holds this file."""
    return lambda at: write_zip(
        at / "x.zip", [("a/1.png", picture(1)), ("b/1.png", picture(2)), (name, content)]
    )


def link_member(at):
    info = zipfile.ZipInfo("a/link.png")
    info.external_attr = 0o120777 << 16
    return write_zip(at / "x.zip", [("a/1.png", picture()), (info, b"/etc/passwd")])


def truncated_zip(at):
    whole = write_zip(at / "w.zip", [(f"a/{k}.png", picture(k)) for k in range(4)]).read_bytes()
    (at / "w.zip").unlink()
    (at / "x.zip").write_bytes(whole[: len(whole) // 2])
    return at / "x.zip"


def flipped_byte(at):
    path = write_zip(at / "x.zip", [("a/1.png", picture(1)), ("b/1.png", picture(2))])
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)
    return path


def encrypted(at):
    path = write_zip(at / "x.zip", [("a/1.png", picture(1))])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(signature) + offset] |= 1
    path.write_bytes(content)
    return path


def file_of(content, name="x.zip"):
    def write(at):
        (at / name).write_bytes(content)
        return at / name

    return write


def escaping_link(at):
    (at.parent / "outside.png").write_bytes(picture())
    (at / "r" / "a").mkdir(parents=True)
    (at / "r" / "a" / "link.png").symlink_to(at.parent / "outside.png")
    return at / "r"


def same_picture_in_two_splits(at):
    files = [
        ("train/a/1.png", picture(1)),
        ("test/b/1.png", picture(1)),
        ("test/b/2.png", picture(2)),
    ]
    return write_zip(at / "x.zip", files)


def empty_folder(at):
    (at / "r").mkdir()
    return at / "r"


BOMB = [("a/1.bmp", bytes(60 << 20))]

FOLDERS = {
    "zip member with ..": (
        lambda at: write_zip(at / "x.zip", [("a/1.png", picture()), ("../evil.png", picture())]),
        r"'\.\./evil\.png' is not a relative path",
    ),
    "zip member with .. inside": (
        lambda at: write_zip(at / "x.zip", [("a/../../evil.png", picture())]),
        "whole zip is refused",
    ),
    "absolute zip member": (
        lambda at: write_zip(at / "x.zip", [("/tmp/evil.png", picture())]),
        "whole zip is refused",
    ),
    "zip member with a drive": (
        lambda at: write_zip(at / "x.zip", [("C:/evil.png", picture())]),
        "whole zip is refused",
    ),
    "zip member with backslashes": (
        lambda at: write_zip(at / "x.zip", [("a\\..\\evil.png", picture())]),
        "whole zip is refused",
    ),
    "zip member that is a link": (link_member, "'a/link.png' is a link"),
    "zip member twice": (
        lambda at: write_zip(at / "x.zip", [("a/1.png", picture(1)), ("a/1.png", picture(2))]),
        "two members are called 'a/1.png'",
    ),
    "zip bomb": (
        lambda at: write_zip(at / "x.zip", BOMB, zipfile.ZIP_DEFLATED),
        "refused as a decompression bomb",
    ),
    "truncated zip": (truncated_zip, "truncated or damaged one: download it again"),
    "flipped byte in a zip": (flipped_byte, "member 'a/1.png' is damaged"),
    "encrypted zip": (encrypted, "'a/1.png' is encrypted"),
    "Git LFS pointer": (file_of(b"version https://git-lfs.github.com/spec/v1\noid x"), "Git LFS"),
    "HTML page": (file_of(b"\n<!DOCTYPE html><html>not found"), "an HTML page"),
    "empty file": (file_of(b""), "an empty file"),
    "tar": (file_of(b"a" * 2000, "x.tar"), "expected a zip, got another kind of file"),
    "missing path": (lambda at: at / "nowhere", "there is no .*nowhere"),
    "URL": (lambda at: "https://example.org/x.zip", "expected a local path, got the URL"),
    "file URL": (lambda at: "file:///etc/passwd", "expected a local path, got the URL"),
    "NUL in the path": (lambda at: "x\0y", "expected a path, got"),
    "empty path": (lambda at: "", "expected a path, got ''"),
    "link that leaves the folder": (escaping_link, "link 'a/link.png' leaves the folder"),
    "no picture at all": (empty_folder, "no pictures; expected CLASS/IMAGE"),
    "pictures without classes": (
        lambda at: write_zip(at / "x.zip", [("1.png", picture(1)), ("2.png", picture(2))]),
        "expected CLASS/IMAGE, got '1.png', '2.png'",
    ),
    "pictures directly in a part": (
        lambda at: write_zip(at / "x.zip", [("train/1.png", picture(1))]),
        "expected PART/CLASS/IMAGE, got 'train/1.png'",
    ),
    "text called png": (in_class(b"hello"), "'a/bad.png': not a picture in PNG"),
    "empty png": (in_class(b""), "'a/bad.png': not a picture"),
    "truncated jpeg": (
        in_class(picture(3, "JPEG")[:400], "a/bad.jpg"),
        "'a/bad.jpg': truncated or damaged picture",
    ),
    "truncated png": (in_class(picture(3)[:300]), "'a/bad.png': truncated or damaged picture"),
    "13000 x 13000 png": (in_class(png_header(13000, 13000)), "13000x13000 pixels; the limit is"),
    "20000 x 20000 png": (in_class(png_header(20000, 20000)), "'a/bad.png': .* pixels"),
    "animated gif": (in_class(animation(), "a/bad.gif"), "'a/bad.gif': an animation"),
    "tiff called png": (in_class(picture(3, "TIFF")), "'a/bad.png': not a picture in PNG"),
    "same picture in two splits": (
        same_picture_in_two_splits,
        "1 images appear in more than one split: meta-t",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_bad_folder_or_zip_is_refused_in_one_line(tmp_path, case):
    make, message = FOLDERS[case]
    inside = tmp_path / "inside"
    inside.mkdir()
    root = make(inside)
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(inside / "cache")}
    with pytest.raises(MetarobustError, match=message) as caught:
        folder(root=root, size=8, cache=inside / "cache")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert {p for p in tmp_path.rglob("*") if not p.is_relative_to(inside / "cache")} == before


def test_a_link_loop_does_not_multiply_a_picture(tmp_path, write_tree):
    root = write_tree(tmp_path / "r", {"a/1.png": picture(1), "b/1.png": picture(2)})
    (root / "a" / "again").symlink_to(root, target_is_directory=True)
    data = folder(root=root, size=8, cache=tmp_path / "cache")
    assert len(data.images) == 2
    assert data.info["links_skipped"] == 1


def test_a_hostile_file_name_stays_on_one_line(tmp_path):
    root = in_class(b"x", "a/\n\x1b[31mbad.png")(tmp_path)
    with pytest.raises(MetarobustError) as caught:
        folder(root=root, size=8, cache=tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("loader", [folder, idx, omniglot])
@pytest.mark.parametrize("root", ["http://169.254.169.254/x", "/nowhere/at/all"])
def test_every_loader_refuses_what_is_not_a_local_path(loader, root):
    with pytest.raises(MetarobustError, match="root: "):
        loader(root=root)


def test_a_set_too_small_for_the_protocol_says_what_is_missing(tmp_path, write_tree):
    files = {
        f"test/{c}/{k}.png": picture(10 * i + k) for i, c in enumerate("abcde") for k in range(4)
    }
    data = folder(root=write_tree(tmp_path / "r", files), size=8, cache=tmp_path / "cache")
    with pytest.raises(MetarobustError, match=r"needs 15 images per class .* 'a' has 4"):
        EpisodeSampler(data, Protocol(), 0)
    with pytest.raises(MetarobustError, match="5 classes, 6-way"):
        EpisodeSampler(data, Protocol(ways=6, shots=1, queries=1, attacker_queries=1), 0)
    with pytest.raises(MetarobustError, match="meta-val has 0 classes"):
        EpisodeSampler(data, Protocol(split="val"), 0)
