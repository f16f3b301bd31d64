"""What every format must show: each cell, each doubt, each reason; whatever the names."""

import csv
import io
import json
import math
import re

import pyarrow.parquet as pq
import pytest

from metarobust.report.html import render_html
from metarobust.report.latex import escape as latex_escape
from metarobust.report.latex import render_latex
from metarobust.report.markdown import escape as markdown_escape
from metarobust.report.markdown import render_markdown
from metarobust.report.tables import render_csv, render_parquet, render_summary, tidy_rows
from tests.support.gate_example import gate_example

NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
FORMATS = {
    "html": lambda model: render_html(model, {}),
    "markdown": render_markdown,
    "latex": render_latex,
    "csv": render_csv,
    "json": render_summary,
}


@pytest.mark.parametrize("name", FORMATS)
def test_suspect_failed_and_unfinished_cells_are_visible(name, model):
    text = FORMATS[name](model)
    for word in ("suspect", "error", "incomplete"):
        assert word in text


@pytest.mark.parametrize("name", FORMATS)
def test_a_limited_run_is_stamped(name, model, limited_model):
    text = FORMATS[name](limited_model)
    if name == "csv":
        assert {record["limited"] for record in csv.DictReader(io.StringIO(text))} == {"True"}
    else:
        assert "Limited run" in text
        assert "Limited run" not in FORMATS[name](model)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_says_nan(name, model):
    words = FORMATS[name](model).replace('"', " ").replace(",", " ").split()
    assert not {word.lower() for word in words} & {"nan", "inf", "-inf", "infinity"}


@pytest.mark.parametrize("name", [*FORMATS, "parquet"])
def test_hostile_names_and_empty_runs_are_written(name, hostile_model, empty_model):
    write = render_parquet if name == "parquet" else FORMATS[name]
    for model in (hostile_model, empty_model):
        written = write(model)
        (written if isinstance(written, bytes) else written.encode()).strip()


def test_every_threat_and_reason_is_in_the_prose(model):
    text = render_markdown(model)
    for row in model.rows:
        assert f"| {markdown_escape(row.name)} |" in text
        assert markdown_escape(row.budget.text) in text
    assert "out of memory in episode 0" in text
    assert "beyond the intervals" in text


def test_markdown_shows_hostile_names_as_text(hostile_model):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(render_markdown(hostile_model))
    inner = [child for token in tokens for child in token.children or ()]
    assert {token.content for token in [*tokens, *inner] if "html" in token.type} == {"<br>"}
    assert not any(token.type in {"link_open", "code_inline"} for token in inner)
    sources = [token.attrs["src"] for token in inner if token.type == "image"]
    assert all(source.startswith("figures/") for source in sources)
    rows = "".join(token.type[0] + token.tag for token in tokens if token.tag in {"tr", "td"})
    assert {row.count("ttd") // 2 for row in rows.split("ttr")} <= {0, 3, 4, 5, 6, 7, 10, 13}


def test_latex_is_escaped_and_balanced(hostile_model):
    text = render_latex(hostile_model)
    bare = text.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
    assert "\\input{/etc" not in text
    assert "\\frac" not in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\") and " & " in line]
    counts = {line.replace("\\&", "").count("&") for line in rows}
    assert counts <= {4, 6}
    assert len(counts) == 2
    assert all(ord(c) < 0x180 for c in text)


def test_latex_says_what_became_of_every_gate():
    model = gate_example()
    text = render_latex(model)
    table = text[text.index(latex_escape(model.gates_sentence)) :]
    for row in model.gates:
        outcome = "passed" if row.result.passed else "\\textbf{failed}"
        facts = (row.result.gate, row.result.learner, row.bound, row.limit)
        assert f"{outcome} & {' & '.join(map(latex_escape, facts))} \\\\" in table
        assert (latex_escape(f"{row.result.gate}: {row.sentence}.") in table) != row.result.passed


def test_latex_escapes_every_special_character():
    assert latex_escape("$50% #1 _x_ {y} & ~^") == (
        r"\$50\% \#1 \_x\_ \{y\} \& \textasciitilde{}\textasciicircum{}"
    )
    assert latex_escape("Ա") == "U+0531"


def test_latex_makes_the_best_bold(model):
    text = render_latex(model)
    assert "\\textbf{94.8}" in text
    assert "\\textbf{91.2}" not in text
    assert "\\textbf{1.4}" in text
    assert "\\textbf{0.4}" in text


def test_csv_never_holds_a_formula(hostile_model):
    for record in csv.DictReader(io.StringIO(render_csv(hostile_model))):
        for name, value in record.items():
            if not NUMBER.fullmatch(value):
                assert not value.startswith(("=", "+", "-", "@")), (name, value)


def test_csv_keeps_numbers_as_numbers(model):
    records = list(csv.DictReader(io.StringIO(render_csv(model))))
    assert len(records) == len(model.rows)
    for record, row in zip(records, model.rows, strict=True):
        value = row.scores["drop_points"].value
        shown = record["drop_points_low"]
        assert record["drop_points"] == ("" if value is None else str(value))
        assert shown == "" or math.isfinite(float(shown))
        assert record["accuracy_reason"] == row.accuracy.reason
        assert record["accuracy_method"] == row.accuracy.method


def test_parquet_holds_the_same_table(hostile_model):
    table = pq.read_table(io.BytesIO(render_parquet(hostile_model)))
    assert table.to_pylist() == [
        {name: record[name] for name in table.schema.names} for record in tidy_rows(hostile_model)
    ]


def test_the_summary_is_strict_json_with_every_cell(model):
    def refuse(word):
        raise AssertionError(word)

    summary = json.loads(render_summary(model), parse_constant=refuse)
    assert summary["schema"] == 3
    assert [cell["key"] for cell in summary["cells"]] == [row.key for row in model.rows]
    failed = next(cell for cell in summary["cells"] if cell["status"] == "error")
    assert failed["scores"]["accuracy"]["value"] is None
    assert "out of memory" in failed["scores"]["accuracy"]["reason"]
    assert summary["scorecards"][0]["items"][4]["kind"] == "query"
