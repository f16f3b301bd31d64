"""A notebook shows the answer of a run, and nothing that a name smuggles in."""

from metarobust.report.notebook import RunView
from tests.report.test_html import Page
from tests.support.gate_example import gate_example


def test_it_says_the_verdict_and_every_scorecard(model):
    shown = " ".join(Page(RunView(model)._repr_html_()).texts)
    assert model.verdict in shown
    for card in model.scorecards:
        assert card.learner in shown
        for item in card.items:
            if item.accuracy.value is not None:
                assert f"{100 * item.accuracy.value:.1f}%" in shown


def test_it_says_which_gates_failed():
    model = gate_example()
    shown = " ".join(Page(RunView(model)._repr_html_()).texts)
    assert model.gates_sentence in shown
    for row in model.gates:
        assert (f" for {row.result.learner}: {row.sentence}." in shown) != row.result.passed


def test_a_limited_run_is_stamped(limited_model):
    assert "Limited run" in RunView(limited_model)._repr_html_()


def test_hostile_names_are_text(hostile_model):
    page = Page(RunView(hostile_model)._repr_html_())
    assert page.scripts == []
    assert {name for _, name, _ in page.attributes} == {"scope", "title"}
    assert any("<script>alert(1)</script>" in text for text in page.texts)


def test_an_empty_run_is_shown(empty_model):
    assert "holds no cells" in RunView(empty_model)._repr_html_()
