"""Checks that a threat kept to its rules, did something, and left everything else alone."""

from collections.abc import Sequence

import numpy as np

from metarobust.audit.check import Check, Finding, chooses, clean_cell, is_clean, threat_of
from metarobust.audit.score_accuracy import episode_accuracies
from metarobust.audit.score_backdoor import ATTACK_SUCCESS, TRIGGER_ALONE
from metarobust.audit.scores import CellScores

BUDGET_SLACK = 1e-5
TWO_DECIMALS = 5e-5  # of an accuracy in percent


def _within_budget(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    threat = threat_of(cell)
    if threat.get("norm") is None:
        return None
    eps, used = float(threat["eps"]), float(cell.evidence.arrays["budget_used"].max())
    images = [v for k, v in cell.evidence.picture.items() if k in ("support", "query")]
    inside = all(image.min() >= 0 and image.max() <= 1 for image in images)
    detail = f"largest {threat['norm']} perturbation {used:.6g}, budget {eps:.6g}"
    if not inside:
        detail += f"; pixels from {min(i.min() for i in images):.6g} to "
        detail += f"{max(i.max() for i in images):.6g}, allowed 0 to 1"
    return Finding(used <= eps * (1 + BUDGET_SLACK) + 1e-6 and inside, detail)


def _same_learner_after(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    moved = cell.evidence.extras.get("clean_logits_moved")
    if moved is None:
        return None
    flags = cell.evidence.extras.get("training_flags_changed", 0.0)
    return Finding(
        moved == 0 and flags == 0,
        f"clean logits moved by {moved:.3g} and {flags:.0f} training flags changed in the attack",
    )


def _reproducible(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    differs = cell.evidence.extras.get("rerun_difference")
    if differs is None:
        return None
    state = cell.evidence.extras.get("random_state_changed", 0.0)
    touched = "was changed" if state else "was left alone"
    return Finding(
        differs == 0 and state == 0,
        f"a second run decided {differs:.1%} of the first episode's queries otherwise; the global "
        f"random state {touched}",
    )


def _zero_budget_is_identity(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    difference = cell.evidence.extras.get("zero_budget_difference")
    if difference is None:
        return None
    return Finding(
        difference == 0, f"largest change of a logit at budget zero {difference:.3g}, allowed 0"
    )


def _changed_something(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    if is_clean(cell) or threat_of(cell).get("eps") == 0 or chooses(cell):
        return None
    changed = float(cell.evidence.arrays["changed"].mean())
    return Finding(changed > 0, f"changed {changed:.1%} of what it may touch")


def _changed_the_answers(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    clean = clean_cell(cell, scored)
    hostile = threat_of(cell)["family"] in ("attack", "poison") and threat_of(cell).get("eps") != 0
    arrays = cell.evidence.arrays
    kept = chooses(cell) and not arrays["changed"].any()
    if clean is None or not hostile or kept or "backdoor_target" in arrays:
        return None
    _, ours, theirs = np.intersect1d(
        cell.evidence.arrays["number"], clean.evidence.arrays["number"], return_indices=True
    )
    if not ours.size:
        return None
    after = float(episode_accuracies(cell.evidence)[ours].mean())
    before = float(episode_accuracies(clean.evidence)[theirs].mean())
    return Finding(
        abs(after - before) >= TWO_DECIMALS,
        f"accuracy {before:.2%} clean and {after:.2%} attacked",
    )


def _backdoor_works(cell: CellScores, scored: Sequence[CellScores]) -> Finding | None:
    if "backdoor_target" not in cell.evidence.arrays or not cell.evidence.arrays["changed"].any():
        return None
    success, alone = (
        float(measure.episodes(cell.evidence).mean())
        for measure in (ATTACK_SUCCESS, TRIGGER_ALONE)
        if measure.episodes is not None
    )
    return Finding(
        success > alone,
        f"the trigger leads {success:.1%} of queries to its target, {alone:.1%} without the "
        "backdoor",
    )


INTEGRITY = (
    Check(
        id="R1",
        name="budget respected",
        looks_at="budget_used; the pictures of the first episode",
        formula="u = max over images of ||x' - x||_p; x' inside [0, 1]",
        threshold="u <= eps (1 + 1e-5) + 1e-6",
        advice="the threat does more than it says: do not compare this number with others",
        judge=_within_budget,
        of_classes=False,
    ),
    Check(
        id="R2",
        name="same learner afterwards",
        looks_at="clean logits and training flags of the first episode before and after the attack",
        formula="max |f_before(x) - f_after(x)|; training flags that differ",
        threshold="both 0 (and a changed weight or buffer fails the block)",
        advice="the learner keeps a state that the attack moved: make adapt() pure",
        judge=_same_learner_after,
        of_classes=False,
    ),
    Check(
        id="R17",
        name="reproducible",
        looks_at="a second run of the threat on the first episode; torch's global random state",
        formula="share of queries whose correctness differs; whether the state changed",
        threshold="0, and unchanged",
        advice="something draws random numbers outside the seed tree: take a generator",
        judge=_reproducible,
        of_classes=False,
    ),
    Check(
        id="E1",
        name="zero budget is the identity",
        looks_at="the same threat on the first episode with a budget of zero",
        formula="max |f_0(x) - f_clean(x)|",
        threshold="0, bit for bit",
        advice="something besides the perturbation changes the learner's answers",
        judge=_zero_budget_is_identity,
        of_classes=False,
    ),
    Check(
        id="E2",
        name="the threat changed something",
        looks_at="changed",
        formula="mean share of the images, or labels, in reach that differ from the clean ones",
        threshold="above 0 for a budget above 0; not asked of searches that may keep what is there",
        advice="the attack did nothing: look for a mask without images or a gradient of zero",
        judge=_changed_something,
        of_classes=False,
    ),
    Check(
        id="E3",
        name="the answers changed",
        looks_at="accuracy of an attack's cell and of the clean cell on the same episodes",
        formula="|accuracy attacked - accuracy clean|",
        threshold="at least 0.005 percentage points: not equal to two decimals; not asked of "
        "backdoors, nor where a search kept everything",
        advice="an attack that moves no accuracy at all is more often broken than beaten",
        judge=_changed_the_answers,
    ),
    Check(
        id="E3b",
        name="the backdoor works",
        looks_at="queries of other classes with the trigger on, after the poisoned support set and "
        "after the clean one",
        formula="attack success - success of the trigger alone",
        threshold="above 0",
        advice="the backdoor did nothing: a larger trigger, or more images that bear it",
        judge=_backdoor_works,
    ),
)
