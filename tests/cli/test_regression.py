"""Regressions end to end: train, audit under attack, and a report of errors instead of accuracy."""

import csv
import json

import pytest
from pyarrow import parquet

SMALL_DATA = ["dataset={name: sinusoid, functions: [40, 10, 20], points: 20}", "device=cpu"]
TRAINING = ["iterations=6", "tasks=2", "validation.every=3", "validation.episodes=4"]
PROTOCOL = "protocol={ways: 1, shots: 6, queries: 6}"
ATTACK = "{eps: 0.05, steps: 2, loss: squared-error}"
THREATS = [
    "{recipe: noise-linf, eps: 0.05}",
    "{recipe: pgd-linf, eps: 0.05, steps: 3, loss: squared-error}",
    "{recipe: support-pgd-linf, eps: 0.05, steps: 3, loss: squared-error}",
]


def settings(*changes):
    return [word for change in changes for word in ("--set", change)]


def train(cli, folder, name, *changes):
    ended = cli("train", name, "--out", str(folder), *settings(*SMALL_DATA, *TRAINING, *changes))
    assert ended.code == 0, ended.err
    return folder / f"{name}.safetensors", ended


def audit(cli, folder, checkpoint, *changes):
    return cli(
        *("audit", "sinusoid", "--out", str(folder)),
        *settings(
            *SMALL_DATA,
            "protocol={ways: 1, shots: 6, queries: 6, attacker_queries: 6}",
            f"learners.0={checkpoint}",
            *("episodes=4", "block=2", "workers=1"),
            *changes,
        ),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("regression")


@pytest.fixture
def maml(cli, folder):
    path = folder / "maml" / "maml-sinusoid.safetensors"
    return path if path.exists() else train(cli, path.parent, "maml-sinusoid", PROTOCOL)[0]


def test_a_run_reports_errors_in_every_format(cli, maml, folder):
    threats = f"threats=[{', '.join(THREATS)}]"
    gates = 'gates=["mse[clean] <= 1e6", "accuracy[clean] >= 10 %"]'
    ended = audit(cli, folder / "run", maml, threats, gates)
    assert ended.code == 1, ended.err
    assert "MSE [95 %]" in ended.err
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert [gate["passed"] for gate in summary["gates"]] == [True, False]
    assert "mean squared error of maml-sinusoid is" in summary["verdict"]
    clean, noise, pgd, poison = (cell["scores"] for cell in summary["cells"])
    for scores in (clean, noise, pgd, poison):
        assert scores["mse"]["value"] > 0
        assert 0 <= scores["coverage"]["value"] <= 1
        assert "fitted on meta-val" in scores["nll"]["method"]
        assert scores["accuracy"]["value"] is None
        assert "no classes" in scores["accuracy"]["reason"]
    assert pgd["mse"]["value"] > noise["mse"]["value"]
    assert pgd["mse"]["value"] > clean["mse"]["value"]
    assert {cell["status"] for cell in summary["cells"]} == {"ok"}
    with (folder / "run" / "cells.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["mse"]) == clean["mse"]["value"]
    assert "accuracy" not in rows[0]
    assert "coverage" in parquet.read_schema(folder / "run" / "cells.parquet").names
    page = (folder / "run" / "report.html").read_text()
    for words in (
        '<th scope="col" class="number">MSE</th>',
        "x from -5 to 5 is scaled",
        "MSE against perturbation bound ε",
        "The line is\n    the function",
    ):
        assert words in page
    assert "Accuracy</th>" not in page
    assert "| MSE |" in (folder / "run" / "report.md").read_text()
    assert "MSE & Increase" in (folder / "run" / "report.tex").read_text()
    again = cli("report", str(folder / "run"))
    assert again.code == 1, again.err


def test_fewer_points_leave_the_same_queries_and_a_larger_error_to_draw(cli, maml, folder):
    curves = "curves={inner_steps: [0, 3], shots: [2, 6], threats: [clean]}"
    ended = audit(cli, folder / "curves", maml, "threats=[]", curves)
    assert ended.code == 0, ended.err
    panels = {p["axis"]: p["points"] for p in _summary(folder / "curves")["adaptation"]}
    assert [point["value"] for point in panels["inner_steps"]] == [0, 3]
    assert [(point["value"], point["own"]) for point in panels["shots"]] == [(2, False), (6, True)]
    own = _summary(folder / "curves")["cells"][0]["scores"]["mse"]
    assert panels["shots"][1]["cell"]["scores"]["mse"] == own
    alone = folder / "alone"
    assert audit(cli, alone, maml, "threats=[]", "protocol.shots=2").code == 0
    few = panels["shots"][0]["cell"]["scores"]
    assert few["mse"] == _summary(alone)["cells"][0]["scores"]["mse"]
    page = (folder / "curves" / "report.html").read_text()
    assert "MSE against support points" in page


def test_a_model_card_which_is_about_accuracy_is_refused(cli, maml, folder):
    run = folder / "clean"
    assert audit(cli, run, maml, "threats=[]").code == 0
    ended = cli("export", str(run), "--to", "huggingface")
    assert ended.code == 2
    assert "model cards hold accuracies" in ended.err


def test_the_same_learner_with_fewer_inner_steps_is_compared_on_its_errors(cli, maml, folder):
    other = folder / "fewer"
    learner = f"learners=[{{checkpoint: {maml}, label: fewer, options: {{inner_steps: 0}}}}]"
    assert audit(cli, other, maml, learner, f"threats=[{THREATS[1]}]").code == 0
    run = folder / "three"
    assert audit(cli, run, maml, f"threats=[{THREATS[1]}]").code == 0
    ended = cli("compare", str(run), str(other), "--out", str(folder / "compared"), "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["score"] == "mse"
    for mine, theirs in zip(found["threats"], _summary(other)["cells"], strict=True):
        reference, rival = mine["scores"]
        assert rival["estimate"]["value"] == theirs["scores"]["mse"]["value"]
        difference = rival["estimate"]["value"] - reference["estimate"]["value"]
        assert rival["difference"]["value"] == pytest.approx(difference)
    page = (folder / "compared" / "compare.html").read_text()
    assert "Differences of MSE are in the square of the units of y" in page
    assert "images" not in page.split("<main>")[1].split("Protocol and provenance")[0]


def _summary(run):
    return json.loads((run / "summary.json").read_text())


def test_a_neural_process_states_its_own_deviations(cli, folder):
    checkpoint, _ = train(cli, folder / "np", "neural-process-sinusoid", PROTOCOL)
    ended = audit(cli, folder / "np-run", checkpoint, f"threats=[{THREATS[1]}]")
    assert ended.code == 0, ended.err
    cells = json.loads((folder / "np-run" / "summary.json").read_text())["cells"]
    assert all("fitted" not in cell["scores"]["coverage"]["method"] for cell in cells)
    assert all(cell["scores"]["width"]["value"] > 0 for cell in cells)


@pytest.mark.parametrize("objective", ["aq", "as"])
def test_a_regression_is_trained_adversarially(cli, tmp_path, objective):
    _, ended = train(
        cli,
        tmp_path / "t",
        "maml-sinusoid",
        PROTOCOL,
        f"objective={{name: {objective}, attack: {ATTACK}}}",
        f"validation.attack={ATTACK}",
        "validation.select=robust",
    )
    assert "mean squared error" in ended.err
    assert "under attack" in ended.err
    header = (tmp_path / "t" / "history.csv").read_text().splitlines()[0]
    assert header.endswith("mse,robust_mse,one_step_mse")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["threats=[label-flip]"], "no classes, which this threat needs"),
        (["threats=[apgd-dlr-linf]"], "dlr compare classes"),
        (["threats=[gaussian-noise]"], "corruptions are of images"),
        (["protocol.ways=5", "threats=[]"], "has 1 function, got 5"),
        (["threats=[]", "aspects.explanation=true"], "aspects are about classes"),
    ],
)
def test_what_a_regression_does_not_have_is_refused(cli, maml, tmp_path, changes, message):
    ended = audit(cli, tmp_path / "run", maml, *changes)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["learner.ways=5"], "MAML as configured does classification"),
        (["learner={name: protonet, backbone: mlp}"], "ProtoNet as configured does classification"),
        (["objective=classification"], "sinusoid is a regression; use episodic"),
        (["objective={name: aq, attack: {eps: 0.1}}"], "set loss: squared-error"),
        (["objective={name: label-noise, fraction: 0.2}"], "no classes"),
        (
            ["objective={name: r-maml, term: kl, attack: {eps: 0.1}}"],
            "kl compares the probabilities of classes",
        ),
    ],
)
def test_training_refuses_what_does_not_suit(cli, tmp_path, changes, message):
    ended = cli(
        *("train", "maml-sinusoid", "--out", str(tmp_path / "t")),
        *settings(*SMALL_DATA, *TRAINING, PROTOCOL, *changes),
    )
    assert ended.code == 2
    assert message in ended.err


def test_stopping_at_a_precision_needs_accuracy(cli, maml, tmp_path):
    ended = cli(
        *("audit", "sinusoid", "--out", str(tmp_path / "run"), "--until-halfwidth", "0.1"),
        *settings(*SMALL_DATA, f"learners.0={maml}", "protocol.shots=6", "threats=[]"),
        *settings("protocol.queries=6", "protocol.attacker_queries=6"),
    )
    assert ended.code == 2
    assert "looks at accuracy, which a regression does not have" in ended.err
