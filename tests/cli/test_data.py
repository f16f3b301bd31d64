"""`metarobust data`: list, prepare and look at data sets."""

import io
import json

import pytest
from PIL import Image

from metarobust.data.catalogue import DATASETS


@pytest.fixture
def options(tiny):
    return ["--set", f"root={tiny.pictures}", "--set", "size=16", "--set", "channels=1"]


def test_the_list_is_of_every_loader(cli):
    ended = cli("data", "ls", "--json")
    assert [entry["name"] for entry in json.loads(ended.out)] == list(DATASETS)
    table = cli("data", "ls")
    assert (table.code, table.out) == (0, "")
    assert all(name in table.err for name in DATASETS)


def test_preparing_says_what_was_read(cli, options):
    ended = cli("data", "prepare", "folder", *options)
    assert (ended.code, ended.out) == (0, "")
    assert "160 images [1, 16, 16], classes 6 train, 4 val, 6 test, digest " in ended.err
    facts = json.loads(cli("data", "prepare", "folder", *options, "--json").out)
    assert facts["images"] == 160
    assert facts["classes"] == {"train": 6, "val": 4, "test": 6}
    assert len(facts["digest"]) == 64
    assert facts["info"]["split"] == "parts of the source"


def test_the_digits_are_prepared_without_options(cli):
    facts = json.loads(cli("data", "prepare", "digits", "--set", "size=8", "--json").out)
    assert (facts["images"], facts["input_shape"]) == (1797, [1, 8, 8])


def test_an_episode_is_drawn_as_a_picture(cli, options, tmp_path):
    words = ["--split", "val", "--ways", 3, "--shots", 2, "--queries", 2, "--index", 4]
    ended = cli("data", "inspect", "folder", *options, *words, "--out", "deep/episode.png")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "episode 4 of meta-val: deep/episode.png\n"
    content = (tmp_path / "deep" / "episode.png").read_bytes()
    picture = Image.open(io.BytesIO(content))
    picture.load()
    assert picture.format == "PNG"
    cli("data", "inspect", "folder", *options, *words, "--out", "again.png")
    assert (tmp_path / "again.png").read_bytes() == content


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "glyph"], "unknown data set 'glyph': did you mean 'glyphs'"),
        (["prepare", "folder"], "data set folder needs the option 'root'"),
        (["prepare", "digits", "--set", "sise=8"], "no option 'sise': did you mean 'size'"),
        (["prepare", "digits", "--set", "size=big"], "expected a whole number, got 'big'"),
        (["prepare", "digits", "--set", "size"], "expected PATH=VALUE"),
        (["prepare", "digits", "--set", "options=3"], "options: expected a mapping"),
        (["prepare", "digits", "--set", "name=null"], "name: expected text"),
        (["prepare", "folder", "--set", "root=nowhere"], "there is no nowhere"),
        (["inspect", "digits", "--split", "train"], "meta-train has 0 classes"),
        (["inspect", "digits", "--ways", "11"], "10 classes, 11-way"),
    ],
)
def test_mistakes_are_one_line(cli, files, words, message):
    ended = cli("data", *words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert files() == set()
