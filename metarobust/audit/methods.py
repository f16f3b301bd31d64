"""What is ranked: methods, each the checkpoints that differ in nothing but their training seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from metarobust.audit.contest import Contestant
from metarobust.core.digest import digest_json
from metarobust.core.errors import ConfigError, did_you_mean

CLEAN_TRAINED = "none"

_TRANSFER = "transfer"
_TRANSFER_NAMES = ("centroid", "finetune", "multitask")
"""The transfer learners of runs that do not say the family of a learner yet."""


@dataclass(frozen=True)
class Method:
    """One row of a comparison.

    Attributes:
        label: its name, told apart from every other method's.
        members: its checkpoints; more than one where only the training seed differs.
        training: the threat that it was trained against; `none` for clean training.
    """

    label: str
    members: tuple[Contestant, ...]
    training: str

    @property
    def seeds(self) -> int:
        """How many training seeds stand for the method."""
        return len(self.members)

    @property
    def yardstick(self) -> bool:
        """Whether it is a transfer baseline, see `is_yardstick`."""
        return is_yardstick(self.members[0].learner)


def is_yardstick(learner: Mapping[str, Any]) -> bool:
    """Whether a learner was trained without episodes: others are measured against what it reaches.

    Its training objective decides, not its kind: `centroid` trained by adversarial querying saw
    episodes. Where the objective is unknown, a learner of the transfer family that was trained
    against no threat is one.

    Args:
        learner: what a run says of it.
    """
    if learner.get("objective") is not None:
        return bool(learner["objective"] == "classification")
    known = _TRANSFER if learner.get("name") in _TRANSFER_NAMES else ""
    unharmed = _training(learner) in (CLEAN_TRAINED, "unknown")
    return unharmed and learner.get("family", known) == _TRANSFER


def yardsticks(methods: Sequence[Method]) -> tuple[int, ...]:
    """The indices of the transfer baselines; none where there is no other method to measure.

    All of them: to choose one by what it reached would be to select on meta-test.
    """
    found = tuple(i for i, method in enumerate(methods) if method.yardstick)
    return found if len(found) < len(methods) else ()


def group_by_method(contestants: Sequence[Contestant]) -> tuple[Method, ...]:
    """Methods in order of first appearance.

    Checkpoints are seeds of one method where learner, test-time options, normalisation and the
    whole training configuration are the same and the training seeds all differ. A checkpoint that
    does not say how it was trained stands for itself.
    """
    groups: dict[str, list[Contestant]] = {}
    for contestant in contestants:
        groups.setdefault(_recipe(contestant), []).append(contestant)
    methods = []
    for group in groups.values():
        seeds = {contestant.learner.get("training_seed") for contestant in group}
        parts = [group] if len(seeds) == len(group) else [[one] for one in group]
        methods += [Method(_label(part), tuple(part), _training(part[0].learner)) for part in parts]
    order = {contestant.label: place for place, contestant in enumerate(contestants)}
    return tuple(sorted(methods, key=lambda method: order[method.members[0].label]))


def choose_reference(methods: Sequence[Method], wanted: str | None) -> int:
    """The index of the method that all others are compared with.

    Args:
        methods: the candidates.
        wanted: the label of a method or of one of its checkpoints. None: the clean-trained method
            if there is exactly one, else the first.

    Raises:
        ConfigError: no method, or more than one, has this label.
    """
    if wanted is None:
        clean = [i for i, method in enumerate(methods) if method.training == CLEAN_TRAINED]
        return clean[0] if len(clean) == 1 else 0
    names = [{m.label, *(c.label for c in m.members)} for m in methods]
    found = [i for i, own in enumerate(names) if wanted in own]
    if not found:
        found = [i for i, m in enumerate(methods) if wanted in {c.given for c in m.members}]
    if len(found) == 1:
        return found[0]
    known = dict.fromkeys(method.label for method in methods)
    what = "no learner" if not found else f"{len(found)} learners"
    raise ConfigError(
        f"--reference: {what} labelled {wanted!r}; "
        + (did_you_mean(wanted, known) if not found else f"choose from: {', '.join(known)}")
    )


def _recipe(contestant: Contestant) -> str:
    learner = contestant.learner
    if learner.get("method") is None or learner.get("training_seed") is None:
        return contestant.label
    facts = ("name", "backbone", "norm_mode", "options", "method")
    return digest_json({fact: learner.get(fact) for fact in facts})


def _label(members: Sequence[Contestant]) -> str:
    if len(members) == 1:
        return members[0].label
    columns = zip(*(member.given for member in members), strict=False)
    common = "".join(c[0] for c in takewhile(lambda c: len(set(c)) == 1, columns))
    name = common.rstrip("-_. ") or members[0].given
    return f"{name}, {len(members)} seeds"


def _training(learner: Mapping[str, Any]) -> str:
    training = learner.get("training")
    if isinstance(training, dict):
        training = training.get("threat")
    return str(training or "unknown")
