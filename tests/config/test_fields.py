"""Ratios are what a person means by them, and a safe name is safe."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from metarobust.config.fields import (
    Count,
    Device,
    Flag,
    Label,
    Ratio,
    SafeName,
    Share,
    parse_ratio,
    show_ratio,
)

finite = st.floats(allow_nan=False, allow_infinity=False)


class Holder(BaseModel):
    ratio: Ratio = 0.0
    share: Share = 1.0
    count: Count = 1
    flag: Flag = False
    name: SafeName = "x"
    label: Label = "x"
    device: Device = "auto"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("8/255", 8 / 255),
        (" 8 / 255 ", 8 / 255),
        ("1e-3", 0.001),
        ("0.03", 0.03),
        (".5", 0.5),
        ("2.", 2.0),
        ("+1/4", 0.25),
        ("-0", 0.0),
        (1, 1.0),
        (0.1, 0.1),
    ],
)
def test_a_ratio_is_read_as_written(written, meant):
    assert Holder(ratio=written).ratio == meant


@pytest.mark.parametrize(
    "junk",
    [True, False, None, math.nan, math.inf, "nan", "inf", "1e999", 10**400, "8/0", "8/255/2",
     "8\\255", "eight", "", "1_000", "٣", "0x10", "8/ 255px", [0.1], {"eps": 1}],
)  # fmt: skip
def test_junk_is_no_ratio(junk):
    with pytest.raises(ValidationError, match="expected number or fraction like 8/255, got"):
        Holder(ratio=junk)


@given(finite)
def test_every_finite_float_is_a_ratio_in_any_spelling(value):
    assert parse_ratio(value) == parse_ratio(repr(value)) == parse_ratio(str(value)) == value


@given(st.integers(-1000, 1000), st.integers(1, 1000))
def test_a_fraction_is_its_quotient(numerator, denominator):
    assert parse_ratio(f"{numerator}/{denominator}") == numerator / denominator


@given(st.text())
def test_no_text_crashes_the_parser(text):
    with contextlib.suppress(ValueError):
        assert math.isfinite(parse_ratio(text))


@given(finite.filter(lambda x: abs(x) < 1e6))
def test_a_shown_ratio_reads_back(value):
    assert parse_ratio(show_ratio(value)) == pytest.approx(value, abs=1e-11)


@given(st.integers(0, 255))
def test_shown_pixel_steps_are_short_and_exact(k):
    shown = show_ratio(k / 255)
    assert parse_ratio(shown) == k / 255
    assert len(shown) <= len("255/255")


def test_different_ratios_are_shown_differently():
    close = [0.1, 0.1 + 1e-7, 8 / 255, 0.0314, 0.03137]
    assert len({show_ratio(value) for value in close}) == len(close)


@pytest.mark.parametrize(("value", "accepted"), [("0", False), ("1", True), ("1.01", False)])
def test_a_share_lies_above_zero_up_to_one(value, accepted):
    if accepted:
        assert Holder(share=value).share == 1
    else:
        with pytest.raises(ValidationError):
            Holder(share=value)


@pytest.mark.parametrize("value", [True, "3", 3.0, 0, None])
def test_a_count_is_a_whole_number_from_one(value):
    with pytest.raises(ValidationError):
        Holder(count=value)


@pytest.mark.parametrize("value", ["no", "on", 1, 0])
def test_a_flag_is_true_or_false_only(value):
    with pytest.raises(ValidationError):
        Holder(flag=value)


UNSAFE = [
    "../../x", "/etc/x", "a/b", "a\\b", "nul\x00l", "x" * 65, "CON", "con.txt", "Lpt1", "name.",
    "", " ", ".hidden", "-flag", "_x", "a b", "a\n", "\u0430udit", "é", "x:y", "~",
]  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused(name):
    with pytest.raises(ValidationError, match="expected a name of"):
        Holder(name=name)


@pytest.mark.parametrize("name", ["quick", "a", "0", "v1.2_x-y", "x" * 64, "console", "com10"])
def test_safe_names_are_kept(name):
    assert Holder(name=name).name == name


@pytest.mark.parametrize("label", ["", "  ", "two\nlines", "bell\a", "x" * 81])
def test_a_label_is_one_printable_line(label):
    with pytest.raises(ValidationError, match="expected one line of 1 to 80"):
        Holder(label=label)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0", ""])
def test_unknown_devices_are_refused(device):
    with pytest.raises(ValidationError, match="expected auto, cpu, cuda or cuda:K"):
        Holder(device=device)
    assert Holder(device="cuda:3").device == "cuda:3"
