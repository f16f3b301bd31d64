"""Gates in every format: JUnit that services accept, and texts that tell a bound from a limit."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.report.gates import apart, gates_sentence
from metarobust.report.html import render_html
from metarobust.report.junit import render_junit
from metarobust.report.markdown import render_markdown
from metarobust.report.terminal import GATE_HEADINGS, gate_rows
from metarobust.report.write import write_report
from tests.support.gate_example import GATES, gate_example
from tests.support.synthetic_run import HOSTILE

# What the windyroad JUnit.xsd, which Apache Ant's reports are held to, requires of each element.
REQUIRED = {
    "testsuite": {"name", "timestamp", "hostname", "tests", "failures", "errors", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type"},
}


@pytest.fixture(scope="module")
def gated():
    return gate_example()


def parsed(model):
    return ElementTree.fromstring(render_junit(model).encode())


def with_texts(model, text):
    rows = tuple(
        replace(row, result=replace(row.result, gate=text, learner=text, reason=text),
                sentence=text)
        for row in model.gates
    )  # fmt: skip
    return replace(model, name=text, verdict=text, warnings=(text,), gates=rows)


def test_junit_counts_what_it_holds(gated):
    root = parsed(gated)
    (suite,) = root
    cases = suite.findall("testcase")
    failed = suite.findall("testcase/failure")
    assert root.tag == "testsuites"
    assert (int(suite.get("tests")), int(suite.get("failures"))) == (len(cases), len(failed))
    assert [case.get("name") for case in cases] == [row.result.gate for row in gated.gates]
    assert {case.get("name") for case in cases} == set(GATES)
    assert len(failed) == sum(not row.result.passed for row in gated.gates) == 3


def test_junit_has_what_its_schema_requires_in_its_order(gated):
    (suite,) = parsed(gated)
    tags = [child.tag for child in suite]
    assert tags[0] == "properties"
    assert set(tags[1:-2]) == {"testcase"}
    assert tags[-2:] == ["system-out", "system-err"]
    assert suite.get("timestamp") == "2025-01-02T03:07:37"
    for element in suite.iter():
        assert REQUIRED.get(element.tag, set()) <= set(element.attrib)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_names(gated, text):
    (suite,) = parsed(with_texts(gated, text))
    assert len(suite.findall("testcase")) == len(gated.gates)
    assert {child.tag for child in suite.iter()} <= {
        "testsuite", "properties", "testcase", "failure", "system-out", "system-err",
    }  # fmt: skip


@given(st.text())
def test_any_text_is_xml(text):
    model = with_texts(EXAMPLE, text)
    assert len(parsed(model)[0].findall("testcase")) == len(model.gates)


EXAMPLE = gate_example()


def test_the_page_says_it_before_the_verdict(gated):
    page = render_html(gated, {})
    assert page.index('id="gates"') < page.index('id="verdict"')
    assert "3 of 9 gates failed." in page
    assert "it failed a sanity check: monotone in eps" in page


def test_hostile_gates_run_nothing_on_the_page(gated):
    page = render_html(with_texts(gated, HOSTILE[0]), {})
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in page


def test_a_report_without_gates_says_nothing_of_them(model, tmp_path):
    assert 'id="gates"' not in render_html(model, {})
    assert "## Gates" not in render_markdown(model)
    assert gate_rows(model) == []


def test_a_stale_verdict_does_not_stay(gated, empty_model, tmp_path):
    without_figures = replace(gated, curves=(), pictures=(), reliability=())
    assert tmp_path / "junit.xml" in write_report(tmp_path, without_figures)
    write_report(tmp_path, empty_model)
    assert not (tmp_path / "junit.xml").exists()


def test_the_terminal_says_number_bound_limit_and_reason(gated):
    rows = gate_rows(gated)
    assert {len(row) for row in rows} == {len(GATE_HEADINGS)}
    assert rows[0][3:6] == ("94.8%", "93.7%", "90.0%")
    assert rows[0][-1] == "passed"
    assert any("sanity check" in row[-1] for row in rows)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_bound_that_differs_reads_differently(bound, limit):
    texts = apart(bound, limit, "share")
    if abs(bound - limit) > 1e-10:
        assert texts[0] != texts[1]
        assert (float(texts[0][:-1]) < float(texts[1][:-1])) == (bound < limit)


def test_one_sentence_for_any_number_of_gates(gated):
    passed = [row for row in gated.gates if row.result.passed]
    failed = [row for row in gated.gates if not row.result.passed]
    assert gates_sentence([]) == ""
    assert gates_sentence(passed[:1]) == "The gate passed."
    assert gates_sentence(failed[:1]) == "The gate failed."
    assert gates_sentence(passed) == "All 6 gates passed."
