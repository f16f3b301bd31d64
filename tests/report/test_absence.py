"""Every missing value is counted once, under its reason."""

from hypothesis import given
from hypothesis import strategies as st

from metarobust.report.absence import absences
from metarobust.stats.estimate import Estimate

REASONS = st.sampled_from(["no groups", "no clean cell", "not asked"])
VALUES = st.lists(st.tuples(st.sampled_from("abcdefghij"), REASONS | st.none()))


@given(VALUES)
def test_every_missing_value_is_counted_once_and_the_known_never(values):
    named = [
        (name, Estimate(0.5) if reason is None else Estimate(None, reason=reason))
        for name, reason in values
    ]
    found = absences(named)
    assert {one.reason: one.count for one in found} == {
        reason: sum(other == reason for _, other in values)
        for reason in {reason for _, reason in values} - {None}
    }
    for one in found:
        assert set(one.names) == {name for name, reason in values if reason == one.reason}


def test_numbers_do_not_make_two_reasons_of_one():
    texts = ["the interval (0.114) covers 0", "the interval (2e-05) covers 0", "none of 3 epochs"]
    found = absences((str(i), Estimate(None, reason=text)) for i, text in enumerate(texts))
    assert [(one.reason, one.count) for one in found] == [(texts[0], 2), (texts[2], 1)]


def test_many_names_are_cut():
    found = absences((f"cell {i}", Estimate(None, reason="no")) for i in range(40))
    assert found[0].words.endswith("cell 5 and 34 more (40 times)")
