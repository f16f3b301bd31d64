"""The protocol in terms a reader can check, what each threat is, and how the run was made."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metarobust.report.rows import Row
from metarobust.report.text import listed

Facts = tuple[tuple[str, str], ...]

_SAMPLING = {
    "classes": "classes drawn anew for every episode; an image may serve in several",
    "disjoint": "no image serves in two episodes",
}


@dataclass(frozen=True)
class ThreatNote:
    """What a recipe does and where it comes from, once per recipe."""

    name: str
    summary: str
    notes: str
    setting: str
    citation: str


def protocol_facts(descriptions: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> Facts:
    """Terms of the protocol with their values; a term that varies between cells lists them all."""
    if not rows:
        return ()

    def values(group: str, key: str) -> str:
        return _several(about.get(group, {}).get(key) for about in descriptions)

    counts = sorted({row.episodes for row in rows})
    span = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    sampling = values("protocol", "replacement")
    return (
        ("Data set", values("dataset", "name")),
        ("Classes", f"the {values('protocol', 'split')} split"),
        ("Episode", f"{values('protocol', 'ways')}-way {values('protocol', 'shots')}-shot"),
        (
            "Queries per class",
            f"{values('protocol', 'queries')} scored; another "
            f"{values('protocol', 'attacker_queries')} that only the attacker sees",
        ),
        ("Episodes per cell", f"{span} of {_several(row.expected for row in rows)} planned"),
        ("Sampling", _SAMPLING.get(sampling, sampling)),
        _units(descriptions),
        ("Intervals", _intervals(rows)),
    )


def _units(descriptions: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """What an ε is in units of."""
    datasets = [about.get("dataset", {}) for about in descriptions]
    units = _several((data.get("info") or {}).get("units") for data in datasets)
    if any(len(data.get("input_shape") or (1, 1, 1)) != 3 for data in datasets):
        return "Inputs", f"in [0, 1], no images, so none are shown; {units}"
    return "Pixels", "in [0, 1] before any normalisation; every ε is in these units"


def stopping_sentence(manifest: Mapping[str, Any]) -> str:
    """What made a run stop that was to stop at a precision; empty for any other run."""
    stopped, half_width = manifest.get("stopped"), manifest.get("until_halfwidth")
    if not stopped or half_width is None:
        return ""
    within = f"within ± {100 * float(half_width):.3g} points"
    episodes = f"{manifest.get('evaluated')} of {manifest.get('episodes')} episodes"
    if stopped == "half-width":
        why = f"every accuracy was known {within} after {episodes}"
    else:
        why = f"{episodes} were used up before every accuracy was known {within}"
    return (
        f"stopped: {stopped} ({why}). Intervals of accuracy allow for the choice of when to stop, "
        "those of other scores do not."
    )


def threat_notes(rows: Sequence[Row]) -> tuple[ThreatNote, ...]:
    """One note per recipe, in the order of the rows."""
    notes: dict[str, ThreatNote] = {}
    for row in rows:
        budget = row.budget
        setting = [
            budget.knowledge if budget.knowledge not in (None, "none") else None,
            None if budget.surface is None else f"on the {budget.surface}",
            None if budget.engine is None else f"engine {budget.engine}",
            None if budget.loss is None else f"loss {budget.loss}",
            None if budget.targets is None else f"{budget.targets} targets",
            "first order" if budget.first_order else None,
        ]
        shown = ", ".join(part for part in setting if part)
        notes.setdefault(
            row.name, ThreatNote(row.name, row.summary, row.notes, shown, row.citation)
        )
    return tuple(notes.values())


def provenance_facts(
    manifest: Mapping[str, Any], descriptions: Sequence[Mapping[str, Any]]
) -> Facts:
    """Where the numbers come from: learners, data, code, machine and time."""
    digests = manifest.get("digests") or {}
    seconds = manifest.get("seconds")
    learners = {
        str(about.get("learner", {}).get("label")): about.get("learner", {})
        for about in descriptions
    }
    facts: list[tuple[str, Any]] = [
        *((f"Learner {label}", _learner(learner)) for label, learner in learners.items()),
        ("Data digest", _several(about.get("dataset", {}).get("digest") for about in descriptions)),
        ("Configuration digest", digests.get("config")),
        ("Seed", manifest.get("seed")),
        ("Commit", manifest.get("commit")),
        ("Device", manifest.get("device")),
        ("Workers", manifest.get("workers")),
        ("Platform", manifest.get("platform")),
        ("Started", manifest.get("created")),
        ("Finished", manifest.get("finished")),
        ("Duration", None if seconds is None else duration(float(seconds))),
    ]
    return tuple((term, "unknown" if value is None else str(value)) for term, value in facts)


def shell_words(words: Iterable[str]) -> str:
    """A command as it would be typed into a POSIX shell.

    >>> shell_words(["metarobust", "audit", "a b.yaml"])
    "metarobust audit 'a b.yaml'"
    """
    safe = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
    quoted = (w if safe.fullmatch(w) else "'" + w.replace("'", "'\"'\"'") + "'" for w in words)
    return " ".join(quoted)


def duration(seconds: float) -> str:
    """A length of time as people say it.

    >>> duration(3.2), duration(192), duration(7260)
    ('3 s', '3 min 12 s', '2 h 1 min')
    """
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _several(values: Iterable[Any]) -> str:
    return listed(list(dict.fromkeys(str(v) for v in values if v is not None))) or "unknown"


def _learner(learner: Mapping[str, Any]) -> str:
    parts = [
        f"{title} {value if isinstance(value, str) else json.dumps(value, sort_keys=True)}"
        for title, value in (
            ("kind", learner.get("name")),
            ("checkpoint", learner.get("checkpoint")),
            ("weights", learner.get("weights")),
            ("normalisation", learner.get("norm_mode")),
            ("options", learner.get("options")),
            ("trained by", learner.get("training")),
        )
        if value
    ]
    return "; ".join(parts)


def _intervals(rows: Sequence[Row]) -> str:
    heads = (e.method.partition(";")[0] for row in rows for e in row.scores.values())
    methods = _several(re.sub(", by episode|, fixed test classes", "", h) or None for h in heads)
    return f"95%, the episode is the unit, for these test classes ({methods})"
