"""Learners and backbones that are not ours: found by name, run only where that was allowed."""

import sys
from importlib import metadata

import pytest

from metarobust.assembly import components, plugins
from metarobust.assembly.components import component_digest, find_component, installed_components
from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.backbones.catalogue import BACKBONES
from metarobust.core.errors import ConfigError
from metarobust.learners.catalogue import LEARNERS
from metarobust.learners.protonet import ProtoNet

NONE = frozenset()
LEARNER = """
from metarobust.learners.protonet import ProtoNet
class Mine(ProtoNet):
    pass
"""
NETWORK = """
from torch import nn
def make(shape, *, width=3):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width))
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(LEARNER + NETWORK)
    return path


@pytest.fixture
def module(tmp_path, monkeypatch):
    """An importable module whose import leaves a mark."""
    mark = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
    (tmp_path / "my_learners.py").write_text(mark + LEARNER)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "ran"
    sys.modules.pop("my_learners", None)


@pytest.fixture
def installed(monkeypatch):
    """A function from `name = value` of learners' entry points to an environment that has them."""

    def install(*points):
        found = [metadata.EntryPoint(*point, "metarobust.learners") for point in points]

        def entry_points(*, group, name=None):
            return [p for p in found if p.group == group and name in (None, p.name)]

        for place in (components, plugins):
            monkeypatch.setattr(place, "entry_points", entry_points)

    return install


def spec(name="protonet", backbone="mlp", **options):
    return LearnerSpec(name, backbone, (1, 8, 8), options, {"width": 4})


def test_a_registered_name_is_the_registered_thing(installed):
    installed(("protonet", "somewhere:Else"))
    assert find_component(LEARNERS, "protonet", NONE) is ProtoNet
    assert installed_components(LEARNERS) == {}
    assert component_digest(LEARNERS, "protonet") is None
    assert spec().code() == {}
    assert spec().identity() == spec().to_json()


def test_an_allowed_file_gives_learner_and_backbone(file):
    mine = spec(f"{file}:Mine", f"{file}:make", learn_temperature=True)
    learner = build_learner(mine, allowed_code=frozenset([str(file)]))
    assert isinstance(learner, ProtoNet)
    assert (type(learner).__name__, learner.feature_dim) == ("Mine", 4)
    assert learner.log_temperature is not None
    with pytest.raises(ConfigError, match="--allow-code"):
        build_learner(mine)


def test_identity_is_a_plug_ins_content_and_not_its_place(file, tmp_path):
    allowed = frozenset([str(file), str(tmp_path / "copy.py")])
    (tmp_path / "copy.py").write_text(file.read_text())
    one, same = spec(f"{file}:Mine"), spec(f"{tmp_path / 'copy.py'}:Mine")
    for each in (one, same):
        build_learner(each, allowed_code=allowed)
    assert one.identity() == same.identity()
    before = one.identity()
    file.write_text(file.read_text() + "# changed\n")
    assert one.identity() != before


def test_a_module_is_imported_only_when_allowed(module):
    with pytest.raises(ConfigError, match="--allow-code my_learners"):
        find_component(LEARNERS, "my_learners:Mine", frozenset(["my_learners.py", "os"]))
    assert not module.exists()
    found = find_component(LEARNERS, "my_learners:Mine", frozenset(["my_learners"]))
    assert (found.__name__, module.exists()) == ("Mine", True)
    assert len(component_digest(LEARNERS, "my_learners:Mine")) == 64


def test_an_entry_point_is_imported_only_when_named(module, installed):
    installed(("mine", "my_learners:Mine"))
    assert installed_components(LEARNERS) == {"mine": "my_learners:Mine"}
    with pytest.raises(ConfigError, match="unknown learner 'your'"):
        find_component(LEARNERS, "your", NONE)
    assert not module.exists()
    assert isinstance(build_learner(spec("mine")), ProtoNet)
    assert len(component_digest(LEARNERS, "mine")) == 64


def test_two_distributions_with_one_name_are_refused(installed):
    installed(("mine", "a:Mine"), ("mine", "b:Mine"))
    message = r"several .* offer 'mine' to metarobust\.learners: a:Mine and b:Mine; uninstall"
    with pytest.raises(ConfigError, match=message):
        find_component(LEARNERS, "mine", NONE)


def test_what_fails_to_import_or_is_missing_is_one_message(module):
    for name, reason in (("my_learners:Yours", "AttributeError"), ("no_such:A", "ModuleNotFound")):
        with pytest.raises(ConfigError, match=reason):
            find_component(LEARNERS, name, frozenset([name.partition(":")[0]]))


def test_a_plug_in_of_the_wrong_kind_is_refused(file):
    allowed = frozenset([str(file)])
    with pytest.raises(ConfigError, match=r"expected a subclass of .*Learner, got Sequential"):
        build_learner(LearnerSpec(f"{file}:make", "mlp", (1, 8, 8)), allowed_code=allowed)
    file.write_text("def make(shape):\n    return 'no network'\n")
    with pytest.raises(ConfigError, match=r"backbone .*mine\.py:make: expected the factory"):
        build_learner(LearnerSpec("protonet", f"{file}:make", (1, 8, 8)), allowed_code=allowed)


def test_an_option_of_a_plug_in_is_checked_like_ours(file):
    wrong = LearnerSpec("protonet", f"{file}:make", (1, 8, 8), {}, {"widht": 3})
    with pytest.raises(ConfigError, match="has no option 'widht': did you mean 'width'"):
        build_learner(wrong, allowed_code=frozenset([str(file)]))
    assert "make" not in BACKBONES
