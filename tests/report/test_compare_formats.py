"""What every format of a comparison must show, whatever the names."""

import csv
import io
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from metarobust.audit.compare import comparable, compare
from metarobust.audit.contest import bring_together
from metarobust.report.compare_figures import draw_comparison
from metarobust.report.compare_html import render_compare_html
from metarobust.report.compare_latex import render_compare_latex
from metarobust.report.compare_markdown import render_compare_markdown
from metarobust.report.compare_model import build_comparison
from metarobust.report.compare_tables import render_compare_csv, render_compare_json
from metarobust.report.compare_terminal import compare_headings, compare_rows
from metarobust.report.compare_words import MINUS
from metarobust.report.compare_write import write_comparison
from tests.report.test_html import Page
from tests.support.made_up_contest import (
    CLEAN,
    answers,
    blur,
    cell,
    pgd,
    rescored,
    run,
    synthetic_contest,
)

FORMATS = {
    "html": lambda model: render_compare_html(model, {}),
    "markdown": render_compare_markdown,
    "latex": render_compare_latex,
    "csv": render_compare_csv,
    "json": render_compare_json,
}


def modelled(runs, **options):
    return build_comparison(compare(bring_together(runs), **options), ["metarobust", "compare"])


@pytest.fixture(scope="module")
def model():
    return modelled(synthetic_contest())


@pytest.fixture(scope="module")
def hostile_model():
    return modelled(synthetic_contest(hostile=True, yardstick=True))


@pytest.fixture(scope="module")
def drawings(model):
    return draw_comparison(model)


@pytest.fixture(scope="module")
def hostile_drawings(hostile_model):
    return draw_comparison(hostile_model)


@pytest.fixture(scope="module")
def written(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("compared")
    return folder, write_comparison(folder, model)


@pytest.fixture(scope="module")
def many_model():
    """Six learners of which two are seeds of one method, some under other threats."""
    threats = [CLEAN, pgd(0.1), *(blur(s) for s in (1, 2))]
    right = [[9, 8, 9, 7], [5, 6, 4, 5], [8, 8, 8, 8], [10, 9, 9, 10], [2, 3, 2, 1], [7, 7, 6, 8]]
    facts = [{"training_seed": i, "method": "m" if i < 2 else f"m{i}"} for i in range(6)]
    runs = [
        run(
            f"run{i}",
            *(cell(f"net{i}", t, answers(r), learner=facts[i]) for t in threats[i // 5 :]),
        )
        for i, r in enumerate(right)
    ]
    return modelled([rescored(named) for named in runs])


def test_the_verdict_says_gain_and_price(model):
    assert model.verdict == (
        "Against protonet, maml gains 8.3 points under poisoned support sets, loses 12.7 points "
        "under wrong support labels and pays 5.7 points of clean accuracy."
    )
    assert "these checkpoints only" in model.trust
    assert model.methods[1].scope.startswith("This checkpoint only")


@pytest.mark.parametrize("name", FORMATS)
def test_doubts_and_left_out_threats_are_visible(name, model, many_model):
    for status in ("suspect", "incomplete"):
        assert status in FORMATS[name](model)
    if name in ("html", "markdown", "json"):
        assert "not part of run5" in FORMATS[name](many_model)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_says_nan(name, model, many_model):
    for one in (model, many_model):
        words = FORMATS[name](one).replace('"', " ").replace(",", " ").split()
        assert not {word.lower() for word in words} & {"nan", "inf", "-inf", "infinity", "none%"}


@pytest.mark.parametrize("name", FORMATS)
def test_limited_and_unfinished_runs_are_said(name):
    cells = [cell(x, CLEAN, answers([9, 8])) for x in ("a", "b")]
    runs = [run("one", cells[0], limited=True), run("two", cells[1], status="interrupted")]
    text = FORMATS[name](modelled([rescored(named) for named in runs]))
    if name != "csv":
        assert "one is a limited run" in text
        assert "two is interrupted" in text


def test_transductive_learners_are_not_fairly_compared():
    cells = [cell(x, CLEAN, answers([9, 8]), learner={"norm_mode": m})
             for x, m in (("a", "batch"), ("b", "support"))]  # fmt: skip
    found = modelled([rescored(run("one", *cells))])
    assert any("a: normalised with statistics of the queries" in w for w in found.warnings)


def test_the_page_is_whole_and_asks_for_nothing(
    model, drawings, many_model, hostile_model, hostile_drawings
):
    shown = ((model, drawings), (many_model, ()), (hostile_model, hostile_drawings))
    for one, figures in shown:
        page = render_compare_html(one, {figure.name: figure.inline for figure in figures})
        found = Page(page)
        assert len(found.ids) == len(set(found.ids))
        assert len(found.scripts) == 1
        assert len(page.encode()) < 1_000_000
        assert not any(name.startswith("on") for _, name, _ in found.attributes)
        for tag, name, value in found.attributes:
            if name in {"src", "href"}:
                assert value.startswith("#"), (tag, name, value)
        labels = [v for t, n, v in found.attributes if t == "div" and n == "aria-label"]
        assert all(label.strip() for label in labels)
    assert "://" not in render_compare_html(model, {})
    assert any("<script>alert(1)</script>" in text for text in Page(page).texts)


def test_the_verdict_comes_first(model):
    page = re.sub(r"\s+", " ", render_compare_html(model, {}))
    assert page.index(model.verdict) < page.index("<h2>")


def test_markdown_shows_hostile_names_as_text(hostile_model):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(render_compare_markdown(hostile_model))
    inner = [child for token in tokens for child in token.children or ()]
    assert {token.content for token in [*tokens, *inner] if "html" in token.type} <= {"<br>"}
    assert not any(token.type in {"link_open", "code_inline"} for token in inner)


def test_latex_is_escaped_and_balanced(hostile_model):
    text = render_compare_latex(hostile_model)
    bare = text.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
    assert "\\input{/etc" not in text
    assert "\\frac" not in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\") and " & " in line]
    assert {line.replace("\\&", "").count("&") for line in rows} == {3}
    assert all(ord(c) < 0x180 for c in text)


def test_csv_never_holds_a_formula_and_keeps_numbers(model, hostile_model):
    number = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
    for record in csv.DictReader(io.StringIO(render_compare_csv(hostile_model))):
        for name, value in record.items():
            if not number.fullmatch(value):
                assert not value.startswith(("=", "+", "-", "@")), (name, value)
    records = list(csv.DictReader(io.StringIO(render_compare_csv(model))))
    assert len(records) == len(model.lines) * len(model.methods)
    shown = [r["difference"] for r in records if r["method"] == "maml"]
    values = [line.scores[1].difference.value for line in model.lines]
    assert shown == ["" if value is None else str(value) for value in values]


def test_the_json_is_strict(hostile_model):
    def refuse(word):
        raise AssertionError(word)

    content = json.loads(render_compare_json(hostile_model), parse_constant=refuse)
    assert content["schema"] == 3
    assert content["score"] == "accuracy"
    assert [len(line["scores"]) for line in content["threats"]] == [3] * len(hostile_model.lines)


def test_the_terminal_shows_every_kind(model):
    rows = compare_rows(model)
    assert len(rows) == len(model.kinds) * len(model.methods)
    assert {len(row) for row in rows} == {len(compare_headings(model))}


@pytest.fixture(scope="module")
def measured():
    """Of ten queries `meta` gets 9 right and the yardstick 8; under attack 6 and 8."""
    threats = [(CLEAN, 9, 8), (pgd(), 6, 8)]
    ours = [cell("meta", t, answers([x] * 6), learner={"training": "pgd"}) for t, x, _ in threats]
    plain = {"name": "centroid", "objective": "classification", "backbone": "conv4"}
    theirs = [cell("plain", t, answers([x] * 6), learner=plain) for t, _, x in threats]
    runs = [rescored(run("one", *ours)), rescored(run("two", *theirs))]
    return modelled(runs, reference="meta")


def test_the_standing_to_a_yardstick_in_words(measured):
    (standing,) = measured.standings
    # All six differences have one sign: p = 2 / 2^6 of each, doubled by Holm.
    assert standing.verdict == "Against the yardstick plain, no difference was found for meta."
    assert [k.scores[0].difference.value for k in standing.kinds] == pytest.approx([10, -20])
    assert [k.scores[0].adjusted for k in standing.kinds] == pytest.approx([4 / 64, 4 / 64])
    assert standing.scope.endswith(
        "meta: another backbone or other training data, so a difference is not what training on "
        "episodes alone made."
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_marks_the_yardstick_and_shows_how_others_stand_to_it(name, measured):
    text = FORMATS[name](measured)
    if name == "csv":
        marks = {r["method"]: r["yardstick"] for r in csv.DictReader(io.StringIO(text))}
        assert marks == {"meta": "False", "plain": "True"}
        return
    assert measured.standings[0].verdict in text
    if name == "json":
        found = json.loads(text)
        assert [method["yardstick"] for method in found["methods"]] == [False, True]
        scores = [kind["scores"][0] for kind in found["yardsticks"][0]["kinds"]]
        assert [score["difference"]["value"] for score in scores] == pytest.approx([10, -20])
    else:
        assert "yardstick" in text
        assert "+10.0" in text


def test_the_terminal_table_against_the_yardstick(measured):
    rows = compare_rows(measured.against(measured.standings[0]))
    assert [row[:4] for row in rows] == [
        ("Clean", "meta", "90.0%", "+10.0"),
        ("Clean", "plain (yardstick)", "80.0%", "—"),
        ("Query attack", "meta", "60.0%", f"{MINUS}20.0"),
        ("Query attack", "plain (yardstick)", "80.0%", "—"),
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_without_a_yardstick_every_text_says_what_is_missing(name, model):
    if name != "csv":
        assert "learners=[centroid-glyphs]" in FORMATS[name](model).replace("\\", "")


def test_a_reference_that_is_the_yardstick_is_called_so():
    cells = [cell(x, CLEAN, answers([9, 8]), learner={"objective": o, "training": "pgd"})
             for x, o in (("a", "classification"), ("b", "aq"))]  # fmt: skip
    found = modelled([rescored(run("one", *cells))])
    assert found.verdict.startswith("Against the yardstick a, ")
    assert (found.standings, found.no_yardstick) == ((), "")


@pytest.fixture(scope="module")
def of_nll():
    return modelled(synthetic_contest(), measure=comparable("nll"))


@pytest.mark.parametrize("name", FORMATS)
def test_another_score_is_called_by_its_name(of_nll, name):
    text = FORMATS[name](of_nll)
    assert "NLL" in text or "nll" in text
    body = text.replace("robust accuracy", "").split("Words used here")[0]
    body = re.sub(r"(?s)<style>.*?</style>|<script>.*?</script>", "", body)
    assert not re.search(r"\bpoints|of accuracy|clean accuracy|Accuracy of", body)


def test_another_score_has_its_own_unit_and_direction(of_nll):
    line = of_nll.lines[0]
    rival = of_nll.rivals[0]
    own, base = (line.scores[i].estimate.value for i in (rival, of_nll.reference))
    assert line.scores[rival].difference.value == pytest.approx(own - base)
    outcomes = {s.outcome for x in of_nll.lines for s in x.scores if s.difference.value is not None}
    for each in of_nll.lines:
        score = each.scores[rival]
        if score.outcome in ("better", "worse"):
            assert (score.outcome == "better") == (score.difference.value < 0)
    assert outcomes & {"better", "worse"}
    heights = [of_nll.height(s.estimate.value) for x in of_nll.lines for s in x.scores]
    assert all(height is None or 0 <= height <= 1 for height in heights)
    assert "[95 %]" in compare_headings(of_nll)[3]
    assert {len(row) for row in compare_rows(of_nll)} == {6}


def test_every_file_is_the_same_every_time(tmp_path, written):
    folder, files = written
    again = write_comparison(tmp_path, modelled(synthetic_contest()))
    assert [p.relative_to(tmp_path) for p in again] == [p.relative_to(folder) for p in files]
    for old, new in zip(files, again, strict=True):
        assert old.read_bytes() == new.read_bytes(), old.name


def test_an_old_diagram_is_removed_and_nothing_else(tmp_path, many_model):
    figures = tmp_path / "figures"
    figures.mkdir()
    for name in ("compare-ranks.svg", "accuracy-01.svg"):
        (figures / name).write_text("old")
    assert many_model.ranking.reason
    write_comparison(tmp_path, many_model)
    names = {path.name for path in figures.iterdir() if path.suffix == ".svg"}
    assert names == {"compare-differences.svg", "compare-heat-map.svg", "accuracy-01.svg"}


def test_any_name_can_be_drawn(hostile_drawings):
    for drawing in hostile_drawings:
        ElementTree.fromstring(drawing.svg)
        assert "<script" not in drawing.svg
        assert b"/CreationDate" not in drawing.pdf


def test_figures_say_in_words_what_they_show(drawings):
    words = {drawing.name: drawing.alt for drawing in drawings}
    assert f"clean: maml {MINUS}5.7, worse." in words["compare-differences"]
    assert "clean: protonet 96.5%, maml 90.8%" in words["compare-heat-map"]
    assert "1 is best: protonet" in words["compare-ranks"]


def test_seeds_are_one_column(many_model):
    assert many_model.methods[0].label == "net, 2 seeds"
    assert len(many_model.methods) == 5
    assert len(many_model.methods[0].members) == 2


def test_a_p_value_is_finite_or_absent(many_model):
    for line in many_model.lines:
        assert all(s.p_value is None or math.isfinite(s.p_value) for s in line.scores)


def test_a_comparison_needs_no_torch():
    code = "import sys, metarobust.report.compare_write; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
