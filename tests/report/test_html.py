"""The page is one well-formed file that asks for nothing and runs nothing but its own script."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from metarobust.core.bundled import bundled
from metarobust.report.fields import SCORES
from metarobust.report.html import render_html
from tests.report.contrast import contrast

VOID = {"meta", "img", "input", "br", "link", "hr", "col"}


class Page(HTMLParser):
    """Checks that tags nest, and collects attributes, texts and identities."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.scripts, self.texts, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)


def page_of(model, drawings):
    return render_html(model, {drawing.name: drawing.inline for drawing in drawings})


@pytest.fixture(scope="module")
def page(model, drawings):
    return page_of(model, drawings)


@pytest.fixture(scope="module")
def hostile_page(hostile_model, hostile_drawings):
    return page_of(hostile_model, hostile_drawings)


def test_it_parses_and_identities_are_unique(page):
    found = Page(page)
    assert len(found.ids) == len(set(found.ids))


def test_it_asks_for_nothing_outside_itself(page):
    assert "://" not in page
    assert "@import" not in page
    for tag, name, value in Page(page).attributes:
        if name in {"src", "href", "srcset", "action", "data", "poster", "background"}:
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value)


def test_its_policy_admits_only_its_own_script(page):
    found = Page(page)
    (policy,) = [v for t, n, v in found.attributes if t == "meta" and "default-src" in (v or "")]
    (script,) = found.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy


def test_hostile_names_are_text(hostile_page):
    found = Page(hostile_page)
    assert len(found.scripts) == 1
    assert "alert" not in found.scripts[0]
    assert not any(name.startswith("on") for _, name, _ in found.attributes)
    assert any("<script>alert(1)</script>" in text for text in found.texts)
    assert all(
        value.startswith(("#", "data:image/png;base64,"))
        for _, name, value in found.attributes
        if name in {"src", "href"}
    )


def test_every_picture_and_figure_has_words(page):
    found = Page(page)
    images = sum(tag == "img" and name == "src" for tag, name, _ in found.attributes)
    words = [value for tag, name, value in found.attributes if tag == "img" and name == "alt"]
    assert len(words) == images
    assert all(words)
    labels = [v for t, n, v in found.attributes if t == "div" and n == "aria-label"]
    assert any("maml, pgd: 91% at 0, 0% at 0.1." in label for label in labels)


def test_the_verdict_comes_first(model, page):
    text = re.sub(r"\s+", " ", page)
    assert text.index(model.verdict) < text.index("<h2>")


def test_a_long_table_opens_with_the_worst_threats(model, page):
    found = next(aspect for aspect in model.aspects if aspect.name == "unknown")
    shown = {item.row.key for card in model.scorecards for item in card.items if item.row}
    section = page[page.index('<section id="unknown"') :]
    first = section[: section.index("<details")]
    expected = sum(row.key in shown for row, _ in found.rows)
    assert first.count('<th scope="row">') == expected < len(found.rows)
    assert f"The same for all {len(found.rows)} cells" in section


def test_missing_figures_leave_their_words(model):
    assert model.curves[0].alt in render_html(model, {}).replace("&#39;", "'")


def test_it_is_small(page):
    assert len(page.encode()) < 1_000_000


def test_an_empty_run_is_a_page(empty_model):
    Page(render_html(empty_model, {}))


STYLE = (bundled("reports") / "templates" / "style.css").read_text()
PALETTES = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)


@pytest.mark.parametrize("palette", PALETTES[:2], ids=["light", "dark"])
def test_text_has_the_contrast_of_level_aa(palette):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", palette))
    for text in ("ink", "muted", "accent", "good", "warn", "bad"):
        for ground in ("paper", "card", "wash", "warn-wash", "bad-wash"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for line in (name for name in colours if name.startswith("series-")):
        assert contrast(colours[line], colours["paper"]) >= 3, line


def test_dark_colours_are_for_screens_alone():
    rules = re.findall(r"@media ([^{]*prefers-color-scheme: dark[^{]*)\{", STYLE)
    assert rules
    assert all(rule.startswith("screen and") for rule in rules)


def test_many_learners_are_shown_side_by_side_first(model, page):
    cards = [
        replace(card, learner=f"{card.learner} {number}")
        for number in (1, 2)
        for card in model.scorecards
    ]
    many = render_html(replace(model, scorecards=tuple(cards)), {})
    verdict = many[many.index('<section id="verdict"') : many.index('<div class="cards">')]
    for card in cards:
        assert f'<th scope="row">{card.learner}</th>' in verdict


def test_a_value_that_is_missing_has_its_reason_in_words(model, page):
    text = " ".join(re.sub(r"\s+", " ", word) for word in Page(page).texts)
    reasons = {e.reason for row in model.rows for e in row.scores.values() if e.value is None}
    assert len(reasons) > 3
    for reason in reasons:
        assert re.sub(r"[\d.]+", "", reason[1:]) in re.sub(r"[\d.]+", "", text), reason


def test_scores_that_nobody_has_take_no_column(model, page):
    unknown = {field.title for field in SCORES} - {
        field.title
        for field in SCORES
        for row in model.rows
        if row.scores[field.key].value is not None
    }
    section = page[page.index('<section id="cells"') : page.index('<section id="protocol"')]
    columns = set(re.findall(r'<th scope="col" class="number">([^<]*)</th>', section))
    assert unknown
    assert not unknown & columns
