"""What a reader of a comparison must know: for whom it holds, what to doubt, where it is from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from metarobust.audit.compare import Comparison, Score
from metarobust.audit.methods import Method
from metarobust.audit.regression_scores import OF_INTERVALS
from metarobust.report.provenance import shell_words
from metarobust.report.text import listed, plain, plain_tree

_DOUBTS = {
    "error": "without numbers for a learner",
    "incomplete": "short of episodes",
    "suspect": "with a failed sanity check",
}


def trust(comparison: Comparison) -> str:
    """For whom the comparison holds, in a sentence or two."""
    rivals = [i for i in range(len(comparison.methods)) if i != comparison.reference]
    single = [i for i in rivals if not comparison.of_seeds(i)]
    paired = "Every difference is paired: all learners met the same episodes."
    if not single:
        return f"{paired} Training seeds are the unit: the numbers speak of the methods."
    if len(single) == len(rivals):
        return (
            f"{paired} Each learner is one training seed: the numbers speak of these checkpoints "
            "only, not of how they were trained."
        )
    return f"{paired} Some learners are one training seed: see each card for whom it speaks."


def warnings(comparison: Comparison, labels: Sequence[str]) -> tuple[str, ...]:
    """What stands above everything else; `labels` are the names of the methods."""
    found = []
    for named in comparison.runs:
        status = named.run.manifest.get("status") or "of unknown status"
        if named.run.manifest.get("limited"):
            found.append(f"{plain(named.name)} is a limited run: a trial, not a measurement.")
        if status != "complete":
            found.append(f"{plain(named.name)} is {plain(status)}: some numbers may be missing.")
    if comparison.measure in OF_INTERVALS:
        found.append(
            "Coverage and width are two sides of one interval, and a wider one covers more: "
            "compare both, or nll. Coverage above 90% is no merit."
        )
    worst = Counter(_worst(line.scores) for line in comparison.lines)
    doubts = [f"{worst[s]} {w}" for s, w in _DOUBTS.items() if worst[s]]
    if doubts:
        found.append(
            f"Of {len(comparison.lines)} conditions, read with care: {listed(doubts)}; they are "
            "marked."
        )
    modes = [str(m.members[0].learner.get("norm_mode")) for m in comparison.methods]
    if "batch" in modes and set(modes) != {"batch"}:
        who = [label for label, mode in zip(labels, modes, strict=True) if mode == "batch"]
        found.append(
            f"{listed(who)}: normalised with statistics of the queries (transductive); the others "
            "are not. This is no fair comparison."
        )
    return tuple(found)


def no_yardstick(comparison: Comparison) -> str:
    """What cannot be known for want of a transfer baseline, and how to add one; else empty."""
    if any(method.yardstick for method in comparison.methods):
        return ""
    return (
        "No learner here was trained without episodes, so nothing tells what meta-training itself "
        "buys. Audit a transfer baseline in the same way (metarobust audit CONFIG --set "
        "learners=[centroid-glyphs] --set name=yardstick; on other data, one from metarobust train "
        "centroid-glyphs --set dataset=NAME) and compare its run, too."
    )


def fairness(methods: Sequence[Method], yardstick: int, labels: Sequence[str]) -> tuple[str, ...]:
    """What else than training on episodes sets methods apart from a yardstick, if anything."""
    own = methods[yardstick].members[0].learner
    others = []
    for method, label in zip(methods, labels, strict=True):
        pairs = [(own.get(x), method.members[0].learner.get(x)) for x in ("backbone", "trained_on")]
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            others.append(label)
    if not others:
        return ()
    return (
        f"{listed(others)}: another backbone or other training data, so a difference is not what "
        "training on episodes alone made.",
    )


def members(method: Method) -> tuple[str, ...]:
    """The facts of each checkpoint of a method, in one line."""
    lines = []
    for member in method.members:
        learner = plain_tree(member.learner)
        facts = (
            ("run", member.run),
            ("kind", learner.get("name")),
            ("checkpoint", learner.get("checkpoint")),
            ("weights", str(learner.get("weights") or "")[:12]),
            ("training seed", learner.get("training_seed")),
        )
        lines.append("; ".join(f"{k} {plain(v)}" for k, v in facts if v not in (None, "")))
    return tuple(lines)


def provenance(manifest: Mapping[str, Any]) -> str:
    """Where a run came from, in one line."""
    about = plain_tree(manifest)
    digests = about.get("digests") or {}
    facts = (
        ("status", about.get("status")),
        ("episodes", about.get("episodes")),
        ("configuration", str(digests.get("config") or "")[:12]),
        ("data", str(digests.get("dataset") or "")[:12]),
        ("metarobust", (about.get("versions") or {}).get("metarobust")),
        ("finished", about.get("finished")),
        ("command", shell_words(about.get("command") or ())),
    )
    return "; ".join(f"{k} {v}" for k, v in facts if v not in (None, ""))


def _worst(scores: Sequence[Score]) -> str:
    return next((s for s in _DOUBTS if any(score.status == s for score in scores)), "ok")
