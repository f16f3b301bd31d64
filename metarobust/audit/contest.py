"""Who is compared and on what: the learners of several runs, on episodes and threats they share."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.kinds import Kind, kind_of
from metarobust.audit.read import Run, read_run
from metarobust.audit.regression_scores import is_regression
from metarobust.core.errors import ConfigError

EPISODE_IDS = ("query_ids", "labels", "class_ids", "support_ids")
"""What two episodes of one number must have in common to be the same episode."""

_WORDS = {"name", "label", "summary", "citation", "notes", "knowledge", "family"}
"""Facts of a threat that describe it and decide none of its numbers."""


@dataclass(frozen=True)
class NamedRun:
    """A run under a name that no other run of the comparison has."""

    name: str
    run: Run


@dataclass(frozen=True)
class Contestant:
    """One learner of one run.

    Attributes:
        label: its label, with the run's name where another run has the same label.
        given: its label in its own run.
        run: the name of its run.
        learner: what the run says of it.
        cells: its cells by threat label.
        statuses: the verdicts of these cells, by threat label.
    """

    label: str
    given: str
    run: str
    learner: Mapping[str, Any]
    cells: Mapping[str, CellEvidence]
    statuses: Mapping[str, str]


@dataclass(frozen=True)
class SharedThreat:
    """A threat that every contestant met.

    Attributes:
        label: its label, the same in every run.
        facts: what it is, from the first contestant's cell.
        key: the key of that cell.
    """

    label: str
    facts: Mapping[str, Any]
    key: str

    @property
    def kind(self) -> Kind:
        """What a reader calls threats of this sort."""
        return kind_of(self.facts)


@dataclass(frozen=True)
class LeftOut:
    """A threat that cannot be compared, and why."""

    label: str
    reason: str


@dataclass(frozen=True)
class Contest:
    """What there is to compare.

    Attributes:
        runs: the runs, in the order given.
        contestants: their learners, in the order of the runs.
        threats: the threats that all of them met, in the order of the first run.
        left_out: the other threats.
    """

    runs: tuple[NamedRun, ...]
    contestants: tuple[Contestant, ...]
    threats: tuple[SharedThreat, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def regression(self) -> bool:
        """Whether the learners were asked for values, not classes: all runs share a data set."""
        return any(is_regression(cell) for c in self.contestants for cell in c.cells.values())


def read_contest(folders: Sequence[Path]) -> Contest:
    """Read run folders and bring their learners together.

    Raises:
        ConfigError: a folder is named twice, or the runs cannot be compared.
        StoreError: a folder is not a run, or is damaged.
    """
    again = [str(f) for f, n in Counter(f.resolve() for f in folders).items() if n > 1]
    if again:
        raise ConfigError(f"expected different runs, got {again[0]} more than once; name each once")
    runs = [read_run(folder) for folder in folders]
    titles = [
        [_title(run) or folder.resolve().name, folder.resolve().name, str(folder)]
        for folder, run in zip(folders, runs, strict=True)
    ]
    level = next(i for i in range(3) if len({title[i] for title in titles}) == len(runs) or i == 2)
    named = [NamedRun(title[level], run) for title, run in zip(titles, runs, strict=True)]
    return bring_together(named)


def bring_together(runs: Sequence[NamedRun]) -> Contest:
    """Check that runs asked the same questions, and match their learners and threats.

    Raises:
        ConfigError: fewer than two learners; no threat in common; or data set, protocol, seed or
            images of the episodes differ, each difference named.
    """
    empty = [named.name for named in runs if not named.run.cells]
    if empty:
        raise ConfigError(f"{empty[0]}: expected a run with cells, got none; audit it first")
    mistakes = list(dict.fromkeys(_differences(runs)))
    contestants = tuple(_contestants(runs))
    if not mistakes:
        mistakes = list(_other_episodes(contestants))
    if mistakes:
        raise ConfigError(
            "these runs cannot be compared, for their episodes are not the same:\n  "
            + "\n  ".join(mistakes)
            + "\naudit them again on one data set, with one protocol and one seed"
        )
    if len(contestants) < 2:
        raise ConfigError(
            f"expected at least two learners to compare, got {contestants[0].label} alone; "
            "name another run"
        )
    threats, left_out = _matched(contestants)
    if not threats:
        raise ConfigError(
            f"expected a threat that all runs have, got none ({left_out[0].label}: "
            f"{left_out[0].reason}); audit the runs under the same threats"
        )
    return Contest(tuple(runs), contestants, threats, left_out)


def _title(run: Run) -> str:
    """The name a run gives itself, if it can be printed on a terminal."""
    name = run.manifest.get("name")
    return name if isinstance(name, str) and name.isprintable() and len(name) <= 80 else ""


def _question(about: Mapping[str, Any]) -> dict[str, Any]:
    """What decides which episodes a cell was scored on, by dotted name."""
    protocol = {k: v for k, v in about.get("protocol", {}).items() if k != "episodes"}
    return {
        "dataset.digest": about.get("dataset", {}).get("digest"),
        **{f"protocol.{name}": value for name, value in sorted(protocol.items())},
        "seed": about.get("seed"),
    }


def _differences(runs: Sequence[NamedRun]) -> Iterator[str]:
    first = runs[0]
    expected = _question(first.run.cells[0].evidence.description)
    for named in runs:
        for cell in named.run.cells:
            got = _question(cell.evidence.description)
            for fact in dict.fromkeys((*expected, *got)):
                if expected.get(fact) != got.get(fact):
                    yield (
                        f"{fact}: expected {_shown(expected.get(fact))} as in {first.name}, got "
                        f"{_shown(got.get(fact))} in {named.name}"
                    )


def _contestants(runs: Sequence[NamedRun]) -> Iterator[Contestant]:
    labels = Counter(
        label
        for named in runs
        for label in {cell.evidence.description["learner"]["label"] for cell in named.run.cells}
    )
    for named in runs:
        cells: dict[str, dict[str, CellEvidence]] = {}
        for cell in named.run.cells:
            about = cell.evidence.description
            own = cells.setdefault(about["learner"]["label"], {})
            own.setdefault(about["threat"]["label"], cell.evidence)
        for label, own in cells.items():
            yield Contestant(
                label=label if labels[label] == 1 else f"{label} ({named.name})",
                given=label,
                run=named.name,
                learner=next(iter(own.values())).description["learner"],
                cells=own,
                statuses={name: named.run.verdicts[c.key].status for name, c in own.items()},
            )


def _other_episodes(contestants: Sequence[Contestant]) -> Iterator[str]:
    """Where episodes of one number hold other images: a run of other data or of a changed code."""
    first: dict[str, tuple[Contestant, CellEvidence]] = {}
    for contestant in contestants:
        for threat, cell in contestant.cells.items():
            if not cell.episodes:
                continue
            model, expected = first.setdefault(threat, (contestant, cell))
            found = _first_difference(expected, cell)
            if found:
                name, number = found
                yield (
                    f"{name}: expected episode {number} under {threat} as in {model.run}, got "
                    f"another one in {contestant.run}"
                )
                break


def _first_difference(expected: CellEvidence, got: CellEvidence) -> tuple[str, int] | None:
    numbers, ours, theirs = np.intersect1d(
        expected.arrays["number"], got.arrays["number"], return_indices=True
    )
    for name in EPISODE_IDS:
        a, b = expected.arrays[name][ours], got.arrays[name][theirs]
        for number, one, other in zip(numbers, a, b, strict=True):
            if not np.array_equal(one, other):
                return name, int(number)
    return None


def _matched(
    contestants: Sequence[Contestant],
) -> tuple[tuple[SharedThreat, ...], tuple[LeftOut, ...]]:
    threats, left_out = [], []
    for label in dict.fromkeys(label for c in contestants for label in c.cells):
        lacking = [c.run for c in contestants if label not in c.cells]
        if lacking:
            left_out.append(LeftOut(label, f"not part of {', '.join(dict.fromkeys(lacking))}"))
            continue
        first = contestants[0].cells[label]
        reason = next(
            (why for c in contestants[1:] if (why := _other(contestants[0], c, label))), ""
        )
        if reason:
            left_out.append(LeftOut(label, reason))
        else:
            threats.append(SharedThreat(label, first.description["threat"], first.key))
    return tuple(threats), tuple(left_out)


def _other(one: Contestant, other: Contestant, label: str) -> str:
    """How two threats of one label differ in what decides their numbers; empty if they do not."""
    a, b = (c.cells[label].description["threat"] for c in (one, other))
    return "; ".join(
        f"{fact} is {_shown(a.get(fact))} in {one.run} and {_shown(b.get(fact))} in {other.run}"
        for fact in sorted({*a, *b} - _WORDS)
        if a.get(fact) != b.get(fact)
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 40 else f"{text[:16]}…"
