"""The grammar of gates: what it reads, and what it says of what it cannot read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarobust.config.audit import AuditConfig
from metarobust.config.gate import parse_gate, read_gates
from metarobust.config.loading import load_config
from metarobust.core.errors import ConfigError

AUDIT = """\
name: x
dataset: glyphs
episodes: 10
learners: [protonet-glyphs]
threats: []
"""


@pytest.mark.parametrize(
    ("line", "learner", "score", "threat", "relation", "limit"),
    [
        ("robust_accuracy[pgd-linf eps=8/255 steps=20] >= 0.30", None, "robust_accuracy",
         "pgd-linf eps=8/255 steps=20", ">=", 0.3),
        ("accuracy[clean] >= 95 %", None, "accuracy", "clean", ">=", 0.95),
        ("ece[clean]<=5e-2", None, "ece", "clean", "<=", 0.05),
        ("  my model: nll [ attack ] <= 1.  ", "my model", "nll", "attack", "<=", 1.0),
        ("a: b[1] >= 2: drop_points[noise] <= -3", "a: b[1] >= 2", "drop_points", "noise", "<=",
         -3.0),
    ],
)  # fmt: skip
def test_gates_read(line, learner, score, threat, relation, limit):
    gate = parse_gate(line)
    assert gate.text == line.strip()
    found = (gate.learner, gate.score, gate.threat, gate.relation)
    assert found == (learner, score, threat, relation)
    assert gate.limit == pytest.approx(limit, abs=1e-15)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("accuracy >= 0.3", r"got no \[THREAT\] in 'accuracy >= 0.3'"),
        ("accuracy[] >= 0.3", r"got no \[THREAT\]"),
        ("accuracy[clean >= 0.3", r"got no \[THREAT\]"),
        ("[clean] >= 0.3", "expected the name of a score before"),
        ("robust accuracy[clean] >= 0.3", "expected the name of a score before.*'robust accuracy'"),
        ("maml:accuracy[clean] >= 0.3", "after 'LEARNER: ' if one is meant"),
        ("accuracy[clean] > 0.3", "expected >= or <= after ], got '> 0.3'"),
        ("accuracy[clean] 0.3", "expected >= or <= after ]"),
        ("accuracy[clean] >= ", "expected a number such as 0.3 or 30 % after >=, got ''"),
        ("accuracy[clean] >= nan", "expected a number .* got 'nan'"),
        ("accuracy[clean] >= 0.3 0.4", "expected a number"),
        ("accuracy[clean] >= 1/2", "expected a number"),
    ],
)
def test_other_forms_are_refused_with_the_part_that_is_wrong(line, words):
    with pytest.raises(ValueError, match=words):
        parse_gate(line)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(line):
    try:
        gate = parse_gate(line)
    except ValueError as problem:
        assert "expected" in str(problem)  # noqa: PT017
    else:
        assert gate.text in line


def test_a_configuration_names_file_line_and_place(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{AUDIT}gates:\n  - accuracy[clean] >= 0.9\n  - accuracy[clean] = 0.9\n")
    with pytest.raises(ConfigError, match=r"mine.yaml, line 8: gates.1: expected >= or <="):
        load_config(AuditConfig, path, "audit")


def test_an_unquoted_learner_is_a_gate_and_not_a_mapping(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{AUDIT}gates:\n  - maml: accuracy[clean] >= 0.9\n")
    gates = load_config(AuditConfig, path, "audit").gates
    assert gates == ("maml: accuracy[clean] >= 0.9",)


def test_a_gate_stands_once():
    with pytest.raises(ValueError, match="expected each gate once"):
        AuditConfig(
            name="x", dataset="glyphs", episodes=1, learners=["a"], threats=[],
            gates=["ece[clean] <= 0.1", "ece[clean] <= 0.1"],
        )  # fmt: skip


def test_a_run_that_another_version_configured_still_has_its_gates(tmp_path):
    path = tmp_path / "config.yaml"
    assert read_gates(path) == ()
    path.write_text("unheard_of: 1\ngates:\n- ece[clean] <= 0.1\n")
    assert read_gates(path) == ("ece[clean] <= 0.1",)
    path.write_text("gates:\n- ece[clean] < 0.1\n")
    with pytest.raises(ConfigError, match=r"config.yaml, line 2: gates.0: expected >= or <="):
        read_gates(path)
