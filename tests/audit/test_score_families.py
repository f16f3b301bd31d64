"""Every measure is computed from the right logits, episodes and pairs of a cell's evidence."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.scores import FAMILIES, MEASURES, SCORES, score_cells
from metarobust.metrics import calibration
from metarobust.metrics.classwise import classwise_ece, marginal_ece
from metarobust.metrics.smooth import smooth_ece
from metarobust.report.fields import show_value
from tests.audit.test_scores import QUERIES, RECALIBRATION, WAYS, cell


def values(evidence: CellEvidence, *others: CellEvidence) -> dict[str, float | None]:
    found = score_cells([evidence, *others])[0]
    return {name: estimate.value for name, estimate in found.scores.items()}


def known(right: np.ndarray, **arrays: np.ndarray) -> CellEvidence:
    """Queries of class 0 and 1 in turn, named correctly where `right`, all equally sure."""
    episodes, queries = right.shape
    labels = np.broadcast_to(np.arange(queries) % 2, right.shape)
    said = np.where(right, labels, 1 - labels)
    description = {"learner": {"label": "made up"}, "threat": {"family": "clean"}}
    facts = {
        "logits": np.log(0.75 / 0.25) * np.eye(2)[said],
        "labels": labels,
        "class_ids": np.tile([4, 9], (episodes, 1)),
        "query_ids": np.arange(right.size).reshape(right.shape),
        "number": np.arange(episodes),
    }
    return CellEvidence("key", description, episodes, facts | arrays)


def test_every_measure_has_one_family_one_name_and_finite_words() -> None:
    assert len(set(SCORES)) == len(SCORES) == sum(len(f.measures) for f in FAMILIES)
    for measure in MEASURES:
        assert measure.bounds[0] < measure.bounds[1]
        assert bool(measure.counted_in) == (measure.unit == "number"), measure.key
        assert show_value(0.5, measure.unit)
        assert measure.meaning.endswith(".")


def test_values_stay_on_their_scales() -> None:
    scored = score_cells([cell(), cell("attack", skill=0.5, seed=1)])
    for found in scored:
        for measure in MEASURES:
            estimate = found.scores[measure.key]
            for number in (estimate.value, estimate.low, estimate.high):
                if number is not None:
                    assert measure.bounds[0] - 1e-9 <= number <= measure.bounds[1] + 1e-9


def test_classes_are_global_and_not_the_labels_of_an_episode() -> None:
    right = np.array([[1, 0, 1, 0], [1, 1, 1, 0], [1, 0, 1, 1], [1, 0, 0, 1]], dtype=bool)
    found = values(known(right))
    assert found["worst_class_accuracy"] == 3 / 8
    assert found["class_gap"] == pytest.approx(7 / 8 - 3 / 8)
    # With the classes behind the labels exchanged in two episodes, 5 of 8 are right in both.
    crossed = np.array([[4, 9], [9, 4], [9, 4], [4, 9]])
    found = values(known(right, class_ids=crossed))
    assert found["worst_class_accuracy"] == 5 / 8
    assert found["class_gap"] == 0.0


def test_the_tail_is_the_worst_tenth_of_the_episodes() -> None:
    shares = np.arange(20) / 20
    right = np.arange(20) < 20 * shares[:, None]
    clean = known(np.ones((20, 20), dtype=bool))
    attacked = replace(known(right), description={**clean.description, "threat": {"family": "a"}})
    found = values(attacked, clean)
    assert found["tail_accuracy"] == pytest.approx((0 + 0.05) / 2)
    assert found["tail_drop_points"] == pytest.approx(100 * (1 + 0.95) / 2)


def test_calibration_scores_are_those_of_the_metrics_on_pooled_queries() -> None:
    evidence = cell(episodes=60)
    logits, labels = evidence.arrays["logits"], evidence.arrays["labels"]
    shares = calibration.probabilities(logits)
    claimed, right = shares.max(-1), evidence.correct
    mass, width = calibration.mass_edges(claimed), calibration.width_edges()
    bins = calibration.reliability_bins(claimed, right, mass)
    found = values(evidence)
    assert found["ece"] == pytest.approx(calibration.ece(bins))
    by_width = calibration.reliability_bins(claimed, right, width)
    assert found["ece_width"] == pytest.approx(calibration.ece(by_width))
    assert found["mce"] == pytest.approx(calibration.mce(bins))
    assert found["ece_debiased"] == pytest.approx(calibration.debiased_square(bins))
    assert found["ece_smooth"] == pytest.approx(smooth_ece(claimed, right))
    edges = calibration.mass_edges(shares)
    assert found["ece_marginal"] == pytest.approx(marginal_ece(shares, labels, edges))
    by_class = classwise_ece(shares, labels, evidence.arrays["class_ids"], width)
    assert found["ece_classwise"] == pytest.approx(by_class.average)
    assert found["overconfidence"] == pytest.approx(claimed.mean() - right.mean())


def test_equal_confidences_have_closed_forms() -> None:
    right = np.tile([True, True, False, False], (30, 5))
    found = values(known(right))
    for name in ("ece", "ece_width", "ece_smooth", "mce", "overconfidence"):
        assert found[name] == pytest.approx(0.25, abs=1e-3), name
    assert found["ece_marginal"] == pytest.approx(0.25)
    assert found["ece_debiased"] == pytest.approx(0.25**2 - 0.25 / 599)
    assert found["ece_p_value"] == pytest.approx(1 / 201)
    assert found["brier"] == pytest.approx((2 * 0.25**2 + 2 * 0.75**2) / 2)
    assert found["aurc"] == pytest.approx(0.5)
    assert found["augrc"] == pytest.approx(0.25)
    assert found["failure_auroc"] == found["failure_auroc_within"] == pytest.approx(0.5)


def test_the_parts_of_the_brier_score_add_up_to_it() -> None:
    found = values(cell())
    total = (
        found["brier_miscalibration"] - found["brier_discrimination"] + found["brier_uncertainty"]
    )
    assert total == pytest.approx(found["brier"])
    assert found["brier_uncertainty"] == pytest.approx(1 - 1 / WAYS)


def test_the_temperature_is_that_of_meta_val_and_not_of_the_cell() -> None:
    evidence = cell()
    logits, labels = evidence.arrays["logits"].reshape(-1, WAYS), evidence.arrays["labels"].ravel()
    found = values(evidence)
    shares = calibration.probabilities(logits.astype(np.float64) / RECALIBRATION["temperature"])
    scaled = log_loss(labels, shares, labels=range(WAYS))
    assert found["nll_scaled"] == pytest.approx(scaled)
    assert found["temperature_gain"] == pytest.approx((found["nll"] - scaled) / found["nll"])
    claimed = shares.max(-1)
    bins = calibration.reliability_bins(
        claimed, evidence.correct.ravel(), calibration.mass_edges(claimed)
    )
    assert found["ece_scaled"] == pytest.approx(calibration.ece(bins))


def test_prediction_sets_use_the_stored_thresholds_at_the_stored_temperature() -> None:
    evidence = cell(skill=1.0)
    logits = evidence.arrays["logits"].astype(np.float64) / RECALIBRATION["temperature"]
    sets = 1 - calibration.probabilities(logits) <= RECALIBRATION["thresholds"]["0.9"]
    held = np.take_along_axis(sets, evidence.arrays["labels"][..., None], -1)[..., 0]
    found = values(evidence)
    assert found["set_coverage_90"] == pytest.approx(held.mean())
    assert found["set_size_90"] == pytest.approx(sets.sum(-1).mean())
    worst = np.sort(held.mean(axis=1))[:4]
    assert found["tail_set_coverage_90"] == pytest.approx(worst.mean())
    # A threshold that too few calibration queries could promise puts every class in the set.
    assert (found["set_coverage_95"], found["set_size_95"]) == (1.0, WAYS)


def test_failures_are_told_apart_over_all_episodes_and_within_each() -> None:
    evidence = cell(skill=1.5)
    logits = evidence.arrays["logits"].astype(np.float64)
    claimed, right = calibration.confidence(logits), evidence.correct
    found = score_cells([evidence])[0].scores
    assert found["failure_auroc"].value == pytest.approx(
        roc_auc_score(right.ravel(), claimed.ravel())
    )
    mixed = [e for e in range(len(right)) if 0 < right[e].sum() < QUERIES]
    within = np.mean([roc_auc_score(right[e], claimed[e]) for e in mixed])
    assert found["failure_auroc_within"].value == pytest.approx(within)
    assert f"over the {len(mixed)} of 40 episodes" in found["failure_auroc_within"].method


def test_saturated_confidences_still_have_an_order() -> None:
    """At float64 every confidence here is 1; the log odds are 50 where right and 40 where wrong."""
    right = np.tile([True, False], (4, 2))
    labels = np.tile([0, 1], (4, 2))
    said = np.where(right, labels, 1 - labels)
    logits = np.where(right, 50.0, 40.0)[..., None] * np.eye(2)[said]
    assert values(known(right, logits=logits))["failure_auroc"] == 1.0


def test_the_median_radius_counts_queries_that_are_wrong_when_clean_as_zero() -> None:
    right = np.tile([True, True, True, False], (5, 1))
    clean = known(right)
    radius = np.tile([0.1, 0.3, -1.0, 0.2], (5, 1)) + 0.0
    threat = {**clean.description, "threat": {"family": "attack"}}
    attacked = replace(known(np.zeros_like(right), radius=radius), description=threat)
    # Radii of an episode: 0.1, 0.3, none, and 0 for the query that needs none.
    assert values(attacked, clean)["median_radius"] == pytest.approx(0.2)
    never = replace(attacked, arrays={**attacked.arrays, "radius": np.full(right.shape, -1.0)})
    found = score_cells([never, clean])[0].scores["median_radius"]
    assert found.value is None
    assert "for half of the queries" in found.reason
    assert "does not look for" in score_cells([clean])[0].scores["median_radius"].reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (None, "audit again"),
        ({"reason": "glyphs has no meta-val classes"}, "glyphs has no meta-val classes"),
    ],
)
def test_without_meta_val_episodes_only_what_needs_them_is_missing(facts, reason: str) -> None:
    learner = {"label": "protonet"} | ({} if facts is None else {"recalibration": facts})
    evidence = cell()
    bare = replace(evidence, description={**evidence.description, "learner": learner})
    found = score_cells([bare])[0].scores
    gone = {name for name, estimate in found.items() if reason in estimate.reason}
    assert gone == {
        "nll_scaled", "ece_scaled", "temperature_gain", "set_coverage_90", "set_size_90",
        "set_coverage_95", "set_size_95", "tail_set_coverage_90",
    }  # fmt: skip
    assert all(found[name].value is None for name in gone)


def test_an_all_correct_cell_has_no_failures_to_tell_apart() -> None:
    found = score_cells([cell(skill=40.0)])[0].scores
    for name in ("failure_auroc", "failure_auroc_within"):
        assert found[name].value is None
        assert "every answer is right" in found[name].reason
    assert found["aurc"].value == 0.0


def test_few_queries_have_no_bin_for_the_maximum_error() -> None:
    found = score_cells([cell(episodes=2)])[0].scores["mce"]
    assert found.value is None
    assert "at least 30 queries" in found.reason


def test_the_order_of_blocks_changes_no_value() -> None:
    clean, attacked = cell(), cell("attack", skill=1.0, seed=1)
    backwards = replace(attacked, arrays={k: v[::-1] for k, v in attacked.arrays.items()})
    before, after = values(attacked, clean), values(backwards, clean)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, abs=1e-9), name
