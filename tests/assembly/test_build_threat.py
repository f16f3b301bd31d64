"""Every recipe becomes the threat it describes."""

import pytest

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack, TorchattacksQueryAttack
from metarobust.assembly.backdoor import Backdoor
from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.data_threats import Clean, Corrupted, LabelNoise
from metarobust.assembly.joint import JointAttack
from metarobust.assembly.support_outlier import OutlierSupport
from metarobust.assembly.support_search import NaturalSupport, WorstLabels
from metarobust.assembly.support_swap import SupportSwap
from metarobust.config.catalogue import find_suite, load_recipe
from metarobust.config.expand import expand_threats
from metarobust.config.loading import bundled_names
from metarobust.config.suite import ThreatEntry
from metarobust.core.errors import ConfigError
from metarobust.data.sampler import Protocol
from tests.support.learners import small_learner

KINDS = {
    "label-noise": LabelNoise,
    "corruption": Corrupted,
    "torchattacks": TorchattacksQueryAttack,
    "worst-labels": WorstLabels,
    "outlier": OutlierSupport,
    "natural": NaturalSupport,
    "backdoor": Backdoor,
    "swap": SupportSwap,
}
SEARCHING = {"query": QueryAttack, "support": SupportAttack, "both": JointAttack}


def parts(threat):
    """The attacks with a budget that a threat is made of."""
    if isinstance(threat, JointAttack):
        return threat.support, threat.query
    return (threat.attack if isinstance(threat, SupportSwap) else threat,)


@pytest.mark.parametrize("name", bundled_names("recipe"))
def test_every_bundled_recipe_becomes_its_threat(name):
    recipe = load_recipe(name)
    threat = build_threat(recipe)
    family = recipe.engine.partition(":")[0]
    assert type(threat) is KINDS.get(family, SEARCHING[recipe.surface])
    assert all(isinstance(v, int | str) for v in threat.versions().values())
    for part in parts(threat) if recipe.eps is not None else ():
        assert part.budget.eps == recipe.eps
        assert part.budget.norm == recipe.norm
        assert part.budget.steps == recipe.steps
    if isinstance(threat, Corrupted):
        assert recipe.engine == f"corruption:{threat.corruption}"
        assert (threat.severity, threat.surface) == (recipe.severity, recipe.surface)
    if isinstance(threat, SupportAttack):
        masks = (recipe.shot_fraction, recipe.class_fraction, recipe.first_order)
        assert (threat.shot_fraction, threat.class_fraction, threat.first_order) == masks


@pytest.mark.parametrize("name", bundled_names("suite"))
def test_every_bundled_suite_can_be_built(name):
    recipes = expand_threats([ThreatEntry(recipe=name)])
    assert len(recipes) >= len(find_suite(name).threats)
    assert len({recipe.label for recipe in recipes}) == len(recipes)
    for recipe in recipes:
        build_threat(recipe)


def test_no_recipe_is_the_clean_cell():
    assert build_threat(None) == Clean()
    assert Clean().without_budget() is None


def test_noise_is_judged_by_one_loss_since_it_searches_nothing():
    recipe = load_recipe("noise-linf")
    assert len(recipe.loss) == 2
    assert len(build_threat(recipe).budget.losses) == 1


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("pgd-linf", {"engine": "pgdd"}, "unknown attack engine 'pgdd': did you mean 'pgd'"),
        ("pgd-linf", {"options": {"random_strat": True}}, "no option 'random_strat'"),
        ("noise-linf", {"options": {"distribution": "gauss"}}, "uniform or sign, got 'gauss'"),
        ("pgd-linf", {"norm": None}, "pgd-linf: engine pgd needs a norm"),
        ("contrast", {"engine": "corruption:contrats"}, "did you mean 'contrast'"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(name, changes, message):
    with pytest.raises(ConfigError, match=message):
        build_threat(load_recipe(name).model_copy(update=changes))


class TestObjections:
    """A threat that cannot be run on a learner says so before anything is computed."""

    def test_poisoning_needs_queries_of_the_attackers_own(self):
        threat = build_threat(load_recipe("support-pgd-linf"))
        protocol = Protocol(attacker_queries=0)
        assert "set protocol.attacker_queries" in threat.objection(small_learner("maml"), protocol)
        assert threat.objection(small_learner("maml"), Protocol()) == ""

    def test_gradients_through_adaptation_need_a_differentiable_learner(self, monkeypatch):
        learner = small_learner("protonet")
        monkeypatch.setattr(type(learner), "differentiable", False)
        threat = build_threat(load_recipe("support-pgd-linf"))
        assert "use a black-box threat" in threat.objection(learner, Protocol())
        blind = build_threat(load_recipe("support-noise-linf"))
        assert blind.objection(learner, Protocol()) == ""

    def test_row_dropping_attacks_need_queries_that_do_not_see_each_other(self):
        pytest.importorskip("torchattacks")
        threat = build_threat(load_recipe("torchattacks-apgd"))
        transductive = small_learner("protonet", norm_mode="batch")
        assert "drops queries one by one" in threat.objection(transductive, Protocol())
        assert threat.objection(small_learner("protonet"), Protocol()) == ""
        joint = build_threat(load_recipe("torchattacks-pgd"))
        assert joint.objection(transductive, Protocol()) == ""

    def test_a_torchattacks_budget_is_checked_first(self):
        pytest.importorskip("torchattacks")
        recipe = load_recipe("torchattacks-pgd").model_copy(update={"norm": "l2"})
        objection = build_threat(recipe).objection(small_learner("protonet"), Protocol())
        assert "bounds linf, not l2" in objection
