"""Every number that a learner or a backbone takes is refused where it makes no sense."""

import pytest

from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.assembly.options import options_of
from metarobust.backbones.catalogue import BACKBONES
from metarobust.core.errors import ConfigError
from metarobust.learners.catalogue import LEARNERS

ZERO_MAKES_SENSE = {
    *((name, "inner_steps") for name in LEARNERS if "inner_steps" in options_of(LEARNERS[name])),
    ("gaussian", "shrinkage"),
    ("mamlpp", "multi_step"),
    ("mann", "decay"),
    ("trimmed", "trim"),
}


def numbers(registry):
    return [
        (name, option, parameter.annotation)
        for name in registry
        for option, parameter in options_of(registry[name], given=1).items()
        if parameter.annotation in (int, float)
    ]


def bad_values(name, option, kind):
    zero = [] if (name, option) in ZERO_MAKES_SENSE else [0]
    return [-1, *zero, *([float("nan"), float("inf")] if kind is float else [])]


def cases(registry):
    return [
        pytest.param(name, option, value, id=f"{name}-{option}-{value}")
        for name, option, kind in numbers(registry)
        for value in bad_values(name, option, kind)
    ]


@pytest.mark.parametrize(("name", "option", "value"), cases(LEARNERS))
def test_a_learner_refuses_it(name, option, value):
    spec = LearnerSpec(name, "mlp", (1, 8, 8), {option: value}, {"width": 4})
    with pytest.raises(ConfigError, match=rf"^learner {name}: expected {option} .*got {value}$"):
        build_learner(spec)


@pytest.mark.parametrize(("name", "option", "value"), cases(BACKBONES))
def test_a_backbone_refuses_it(name, option, value):
    spec = LearnerSpec("protonet", name, (1, 16, 16), {}, {option: value})
    with pytest.raises(ConfigError, match=rf"^backbone {name}: expected {option} .*got {value}$"):
        build_learner(spec)


@pytest.mark.parametrize(("name", "option"), sorted(ZERO_MAKES_SENSE))
def test_zero_is_taken_where_it_makes_sense(name, option):
    build_learner(LearnerSpec(name, "mlp", (1, 8, 8), {option: 0}, {"width": 4}))
