"""Places in nested models are found, so that a mistake is shown where it was written."""

import pytest
from pydantic import BaseModel

from metarobust.config.audit import AuditConfig, LearnerEntry
from metarobust.config.dataset import DatasetConfig
from metarobust.config.mistakes import model_at, validate
from metarobust.config.protocol import ProtocolConfig, ValidationProtocol
from metarobust.config.train import TrainConfig
from metarobust.core.errors import ConfigError


@pytest.mark.parametrize(
    ("root", "place", "found"),
    [
        (AuditConfig, (), AuditConfig),
        (AuditConfig, ("protocol",), ProtocolConfig),
        (AuditConfig, ("learners", 3), LearnerEntry),
        (TrainConfig, ("validation", "protocol"), ValidationProtocol),
        (AuditConfig, ("dataset",), DatasetConfig),
        (AuditConfig, ("dataset", "root"), None),
        (AuditConfig, ("episodes",), None),
        (AuditConfig, ("nothing", "here"), None),
    ],
)
def test_the_model_at_a_place(root, place, found):
    assert model_at(root, place) is found


class Leaf(BaseModel, extra="forbid"):
    size: int


class Tree(BaseModel):
    leaves: list[Leaf]


def test_a_mistake_is_shown_at_the_nearest_place_that_was_written():
    origins = {(): "f.yaml", ("leaves", 0): "f.yaml, line 3"}
    with pytest.raises(ConfigError) as caught:
        validate(Tree, {"leaves": [{"size": "x", "siz": 1}]}, origins)
    assert str(caught.value).splitlines() == [
        "f.yaml, line 3: leaves.0.size: Input should be a valid integer, unable to parse string "
        "as an integer, got 'x'",
        "f.yaml, line 3: leaves.0.siz: unknown key 'siz'; did you mean 'size'?",
    ]
