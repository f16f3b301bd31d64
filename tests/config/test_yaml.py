"""Strict YAML: every trap is a plain value or an error that names the line."""

import contextlib
import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from metarobust.config.yaml import MAX_BYTES, MAX_DEPTH, dump_yaml, parse_yaml, read_yaml
from metarobust.core.errors import ConfigError

ALIAS_BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(9)
)

REFUSED = {
    "tag": ('a: 1\nb: !!python/object/apply:os.system ["true"]\n', r"line 2: YAML tags are not"),
    "own tag": ("a: !secret x\n", r"line 1: YAML tags are not allowed \('!secret'\)"),
    "bare tag": ("a: ! x\n", r"line 1: YAML tags are not allowed"),
    "tag on key": ("!!str a: 1\n", r"line 1: YAML tags are not allowed"),
    "tag at top": ("!!map\na: 1\n", r"line 1: YAML tags are not allowed"),
    "alias bomb": (ALIAS_BOMB, r"line 1: anchors are not allowed \(&a\)"),
    "alias": ("a: *b\n", r"line 1: aliases are not allowed \(\*b\)"),
    "duplicate key": ("eps: 1\nsteps: 2\neps: 3\n", r"line 3: duplicate key 'eps' .*on line 1\)"),
    "nested duplicate": ("a:\n  b: 1\n  b: 2\n", r"line 3: duplicate key 'b'"),
    "deep flow": ("a: " + "[" * 5000, r"line 1: nested too deeply"),
    "deep block": ("".join(" " * i + "a:\n" for i in range(40)), r"nested too deeply"),
    "two documents": ("a: 1\n---\nb: 2\n", r"line 2: expected one document"),
    "empty": ("", r"empty; expected KEY: VALUE"),
    "comment only": ("# nothing\n", r"empty; expected KEY: VALUE"),
    "key list": ("? [a, b]\n: 1\n", r"line 1: expected a word as a key"),
    "open list": ("a: 1\nb: [1, 2\n", r"line 3: not YAML: expected ',' or ']'"),
    "tab": ("a:\n\tb: 1\n", r"line 2: not YAML: found character"),
    "control": ("a: \x07\n", r"not YAML: .*special characters are not allowed"),
    "escape": ('a: "\\UFFFFFFFF"\n', r"not YAML"),
    "long number": ("a: " + "9" * 5000, r"line 1: a number of 5000 digits"),
    "huge number": ("a: 1e999\n", r"line 1: 1e999 is beyond the largest float"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_yaml_is_refused_with_its_file_and_line(case):
    text, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message) as caught:
        parse_yaml(text, "my.yaml")
    assert str(caught.value).startswith("my.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001), ("1E5", 1e5), ("-.5", -0.5), ("2.", 2.0), ("010", 10), ("-7", -7),
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("y", "y"), ("true", True), ("False", False),
        ("12:30:45", "12:30:45"), ("8/255", "8/255"), (".nan", ".nan"), (".inf", ".inf"),
        ("0x1F", "0x1F"), ("1_000", "1_000"), ("2024-01-31", "2024-01-31"), ("'1e-3'", "1e-3"),
        ('"true"', "true"), ("null", None), ("~", None), ("", None), ("1e", "1e"), ("???", "???"),
        ("[1, no]", [1, "no"]), ("{a: 1}", {"a": 1}), ("=", "="),
    ],
)  # fmt: skip
def test_a_scalar_is_what_a_person_reads(written, meant):
    value = parse_yaml(f"key: {written}", "x").value["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_text_as_written():
    value = parse_yaml("no: 1\n010: 2\nnull: 3\n<<: 4\n", "x").value
    assert value == {"no": 1, "010": 2, "null": 3, "<<": 4}


def test_every_key_and_entry_has_its_line():
    lines = parse_yaml("a: 1\nb:\n  - x\n  - c: 2\n", "x").lines
    assert {place: lines[place] for place in [("a",), ("b",), ("b", 1), ("b", 1, "c")]} == {
        ("a",): 1,
        ("b",): 2,
        ("b", 1): 4,
        ("b", 1, "c"): 4,
    }


def test_depth_up_to_the_cap_is_read():
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "x").value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"- 1\n- 2\n", "line 1: expected a mapping .* at the top, got a list"),
        (b"# a comment\n\njust a word\n", "line 3: expected a mapping .*, got 'just a word'"),
        (b"null\n", "line 1: expected a mapping .*, got null"),
        (b"a: 1\nb: \xff\n", "line 2: expected UTF-8 text"),
        (b"a: " + b"x" * MAX_BYTES, "larger than 200,000 bytes"),
        (b"", "empty"),
        (b"\x80\x02ccollections\n", "expected UTF-8 text"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, data, message):
    path = tmp_path / "bad.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=f"bad.yaml.*{message}"):
        read_yaml(path)


def test_unreadable_files_are_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"gone.yaml: cannot be read \(No such file"):
        read_yaml(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory"):
        read_yaml(tmp_path)


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path).value == {"a": 1}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ConfigError):
        parse_yaml(text, "x")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
tricky = st.sampled_from(["no", "1e-3", "010", "12:30", "~", "8/255", "-", "? x", "a: b", "#", "="])
scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | text | tricky
floats = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | floats,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text | tricky, inner, max_size=3),
    max_leaves=12,
)


@given(values)
@example(["\x85", "a\u2028b", "\r", "two\nlines", "\ufeff"])
def test_what_is_dumped_reads_back_here_and_in_yaml_1_1(value):
    written = dump_yaml(value)
    assert json.dumps(parse_yaml(written, "x").value) == json.dumps(value)
    assert json.dumps(yaml.safe_load(written)) == json.dumps(value)
