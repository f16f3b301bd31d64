"""Small data sets made on the spot, the embedded glyphs, and real archives where they lie."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metarobust.data.base import Dataset
from metarobust.data.glyphs import glyphs

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def glyph_set():
    """The embedded data set, from the user's cache (METAROBUST_CACHE), built if need be."""
    return glyphs()


@pytest.fixture(scope="session")
def real_data():
    """A function from the name of a real archive to its path; skips where it is not there."""

    def find(name):
        path = REAL / name
        if not path.exists():
            pytest.skip(f"{name} is not in {REAL}")
        return path

    return find


@pytest.fixture(scope="session")
def png():
    """A function from a uint8 array [H, W] or [H, W, 3] to the bytes of a picture file."""

    def encode(pixels, fmt="PNG", **options):
        stream = io.BytesIO()
        Image.fromarray(np.asarray(pixels)).save(stream, fmt, **options)
        return stream.getvalue()

    return encode


@pytest.fixture(scope="session")
def noise_png(png):
    """A function from a seed to the bytes of a random grey picture, 12 x 12."""

    def make(seed):
        return png(np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8))

    return make


@pytest.fixture(scope="session")
def write_tree():
    """A function that writes {name: bytes} below a folder, or into a zip if the path says so."""

    def write(target, files):
        if target.suffix == ".zip":
            with zipfile.ZipFile(target, "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
        else:
            for name, content in files.items():
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return target

    return write


@pytest.fixture(scope="session")
def make_dataset():
    """A function from image counts per class to a data set whose first pixels tell the row."""

    def make(counts, splits=None, shape=(1, 4, 4)):
        labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
        order = np.random.default_rng(0).permutation(len(labels))
        images = np.zeros((len(labels), *shape), np.uint8)
        images.reshape(len(labels), -1)[:, 0] = np.arange(len(labels)) % 251
        images.reshape(len(labels), -1)[:, 1] = np.arange(len(labels)) // 251
        everything = {"train": (), "val": (), "test": tuple(range(len(counts)))}
        return Dataset(
            name="made up",
            images=images,
            labels=labels[order],
            class_names=tuple(f"class {c}" for c in range(len(counts))),
            groups=None,
            splits=everything if splits is None else splits,
            digest="0" * 64,
        )

    return make
