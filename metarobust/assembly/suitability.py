"""Whether a threat, a learner and a data set go together, asked before anything is computed."""

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.data_threats import Clean, Corrupted
from metarobust.assembly.threat import Threat
from metarobust.attacks.base import Ensemble
from metarobust.attacks.search import seeks_radius
from metarobust.attacks.square import Square
from metarobust.data.base import Dataset
from metarobust.data.sampler import Protocol
from metarobust.learners.base import Learner

ERROR = "squared-error"
"""The one loss of an attack on a regression."""


def task_objection(learner: Learner, dataset: Dataset) -> str:
    """Why a learner cannot do the task of a data set, and what to do; else empty."""
    if dataset.task in learner.tasks:
        return ""
    name, able = type(learner).__name__, " or ".join(sorted(learner.tasks))
    return (
        f"{dataset.name} is a {dataset.task}, {name} as configured does {able}; for a regression "
        "use maml, fomaml or anil with ways: 1, ridge, or neural-process with task: regression"
    )


def learner_objection(learner: Learner, dataset: Dataset, protocol: Protocol) -> str:
    """Why a learner cannot learn the episodes of a data set, and what to do; else empty."""
    return task_objection(learner, dataset) or learner.objection(
        ways=protocol.ways, shots=protocol.shots
    )


def threat_objection(threat: Threat, dataset: Dataset) -> str:
    """Why a threat cannot be run on a data set, and what to do; else empty."""
    return _of_inputs(threat, dataset) or _of_task(threat, dataset)


def _of_inputs(threat: Threat, dataset: Dataset) -> str:
    if len(dataset.input_shape) == 3:
        return ""
    attack = threat if isinstance(threat, QueryAttack | SupportAttack) else None
    patches = attack is not None and isinstance(attack.engine, Square)
    if not patches and not isinstance(threat, Corrupted):
        return ""
    kind = "square patches" if patches else "corruptions"
    return (
        f"{kind} are of images, {dataset.name} has inputs of shape {list(dataset.input_shape)}; "
        "leave it out"
    )


def _of_task(threat: Threat, dataset: Dataset) -> str:
    attack = threat if isinstance(threat, QueryAttack | SupportAttack) else None
    if dataset.task == "classification":
        if attack is not None and ERROR in attack.budget.losses:
            return f"{ERROR} is the loss of a regression; use cross-entropy or margin"
        return ""
    if isinstance(threat, Clean):
        return ""
    if attack is None:
        return (
            "a regression has no classes, which this threat needs; use noise, or a gradient attack "
            f"with loss: {ERROR}"
        )
    engine, budget = attack.engine, attack.budget
    if isinstance(engine, Ensemble) or seeks_radius(engine, budget):
        return (
            "it looks for a change of the predicted class, which a regression does not have; use "
            f"pgd, mim or apgd with loss: {ERROR}"
        )
    if engine.adversarial and budget.losses != (ERROR,):
        return (
            f"{' and '.join(budget.losses)} compare classes, which a regression does not have; set "
            f"loss: {ERROR}"
        )
    if budget.targets != "untargeted":
        return "a regression has no wrong class to approach; leave out 'targets'"
    if isinstance(threat, SupportAttack) and threat.class_fraction < 1:
        return "a regression has no classes to choose from; set shot_fraction instead"
    return ""
