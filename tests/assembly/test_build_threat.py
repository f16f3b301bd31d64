"""Every recipe becomes the threat it describes."""

import pytest

from metarobust.assembly.attack_threats import QueryAttack, SupportAttack
from metarobust.assembly.backdoor import Backdoor
from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.certificates import Smoothing
from metarobust.assembly.data_threats import Clean, Corrupted, LabelNoise
from metarobust.assembly.joint import JointAttack
from metarobust.assembly.library_threats import LibraryQueryAttack
from metarobust.assembly.support_outlier import OutlierSupport
from metarobust.assembly.support_search import NaturalSupport, WorstLabels
from metarobust.assembly.support_swap import SupportSwap
from metarobust.assembly.transfer import TransferAttack
from metarobust.assembly.universal import UniversalAttack
from metarobust.config.catalogue import find_suite, load_recipe
from metarobust.config.expand import expand_threats
from metarobust.config.loading import bundled_names
from metarobust.config.suite import ThreatEntry
from metarobust.core.errors import ConfigError, DataError
from metarobust.data.sampler import Protocol
from tests.support.episodes import make_episode
from tests.support.learners import small_learner

KINDS = {
    "label-noise": LabelNoise,
    "smoothing": Smoothing,
    "corruption": Corrupted,
    "worst-labels": WorstLabels,
    "outlier": OutlierSupport,
    "natural": NaturalSupport,
    "backdoor": Backdoor,
    "swap": SupportSwap,
    "torchattacks": LibraryQueryAttack,
    "foolbox": LibraryQueryAttack,
    "transfer": TransferAttack,
    "universal": UniversalAttack,
}
SEARCHING = {"query": QueryAttack, "support": SupportAttack, "both": JointAttack}


def parts(threat):
    """The attacks with a budget that a threat is made of."""
    if isinstance(threat, JointAttack):
        return threat.support, threat.query
    if isinstance(threat, SupportSwap):
        return (threat.attack,)
    return (threat,) if hasattr(threat, "budget") else ()


@pytest.mark.parametrize("name", bundled_names("recipe"))
def test_every_bundled_recipe_becomes_its_threat(name):
    recipe = load_recipe(name)
    threat = build_threat(recipe)
    family = recipe.engine.partition(":")[0]
    assert type(threat) is KINDS.get(family, SEARCHING[recipe.surface])
    assert all(isinstance(v, int | str) for v in threat.versions().values())
    for part in parts(threat):
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
        ("mim-linf", {"norm": "l1"}, "engine mim bounds linf or l2, got norm l1"),
        ("rays-linf", {"norm": "l2"}, "engine rays bounds linf, got norm l2"),
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

    def test_a_foolbox_budget_is_checked_first(self):
        pytest.importorskip("foolbox")
        recipe = load_recipe("foolbox-pgd").model_copy(update={"norm": "l2"})
        objection = build_threat(recipe).objection(small_learner("protonet"), Protocol())
        assert "bounds linf, not l2" in objection

    @pytest.mark.parametrize("surface", ["query", "support"])
    @pytest.mark.parametrize(
        ("loss", "fewest", "instead"),
        [("dlr", 3, "margin"), ("targeted-dlr", 4, "targeted-margin")],
    )
    def test_a_ratio_of_logits_asked_for_by_name_needs_enough_ways(
        self, loss, fewest, instead, surface
    ):
        changes = {"loss": ("margin", loss), "surface": surface}
        threat = build_threat(load_recipe("apgd-ce-linf").model_copy(update=changes))
        learner = small_learner("protonet")
        assert threat.objection(learner, Protocol(ways=fewest)) == ""
        assert threat.objection(learner, Protocol(ways=fewest - 1)) == (
            f"loss {loss} needs {fewest} ways or more, got {fewest - 1}; set 'loss' to {instead}"
        )

    def test_an_ensemble_chooses_the_margin_itself(self):
        threat = build_threat(load_recipe("episode-autoattack-linf"))
        assert threat.objection(small_learner("protonet"), Protocol(ways=2)) == ""

    @pytest.mark.parametrize(("name", "longest"), [("pgd-l2", 28), ("pgd-l1", 784)])
    def test_no_budget_exceeds_the_distance_of_the_farthest_images(self, name, longest):
        shape = (1, 28, 28)
        recipe = load_recipe(name)
        most = build_threat(recipe.model_copy(update={"eps": longest}))
        assert most.misfit(shape) == ""
        more = build_threat(recipe.model_copy(update={"eps": longest + 1}))
        assert f"eps={longest + 1} exceeds {longest}" in more.misfit(shape)

    @pytest.mark.parametrize("name", ["pgd-linf", "support-pgd-linf", "torchattacks-pgd"])
    @pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
    def test_images_outside_the_range_are_refused_before_computing(self, name, value):
        episode = make_episode()
        for images in (episode.query_x, episode.support_x):
            images[0, 0, 0, 0] = value
        with pytest.raises(DataError, match=r"expected values in \[0, 1\]"):
            build_threat(load_recipe(name)).prepare(episode, 0)
