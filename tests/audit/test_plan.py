"""A plan: keys that name all that decides a number, and refusals before anything is computed."""

import shutil

import pytest
import torch

from metarobust.assembly.learner import LearnerSpec, build_learner
from metarobust.audit.carry_out import rehearsal_episodes
from metarobust.audit.plan import make_plan, measure_scale
from metarobust.audit.step_search import SEARCHED, STEP_SIZES
from metarobust.config.audit import AuditConfig
from metarobust.config.catalogue import find_suite
from metarobust.config.expand import expand_threats
from metarobust.config.loading import bundled_names
from metarobust.config.suite import ThreatEntry
from metarobust.core.errors import AttackError, ConfigError, DataError, MetarobustError
from metarobust.core.jsonio import canonical_json
from metarobust.corruptions import CORRUPTIONS
from metarobust.data.sampler import Protocol
from tests.support.pattern_set import pattern_set
from tests.support.tiny_project import PROTOCOL, save_learner, write_pictures

PGD = {"recipe": "pgd-linf", "eps": 0.1, "steps": 2}


@pytest.fixture
def plan(tiny):
    """A function from changes of the tiny audit to its plan."""

    def make(**changes):
        config = AuditConfig.model_validate(tiny.audit(**{"threats": [PGD], **changes}))
        return make_plan(config, episodes=None)

    return make


@pytest.fixture
def _one_scale(monkeypatch):
    """The logit scale is part of every key, and would hide that something else is not."""
    monkeypatch.setattr("metarobust.audit.plan.measure_scale", lambda *arguments: 1.0)


one_scale = pytest.mark.usefixtures("_one_scale")


def keys(plan):
    return [cell.key for cell in plan.cells]


def protocol(**changes):
    return {"protocol": {**PROTOCOL, **changes}}


NO_NUMBER = {
    "name": {"name": "another"},
    "workers": {"workers": 2},
    "device": {"device": "auto"},
    "episodes": {"episodes": 40},
}


@pytest.mark.parametrize("change", NO_NUMBER)
def test_what_decides_no_number_changes_neither_keys_nor_experiment(plan, change):
    if change == "device" and torch.cuda.is_available():
        pytest.skip("on this machine auto is another device")
    before, after = plan(), plan(**NO_NUMBER[change])
    assert keys(after) == keys(before)
    assert after.experiment == before.experiment


NUMBERS = {
    "seed": {"seed": 1},
    "ways": protocol(ways=2),
    "shots": protocol(shots=3),
    "queries": protocol(queries=3),
    "attacker's queries": protocol(attacker_queries=3),
    "split": protocol(split="train"),
    "replacement": {**protocol(replacement="disjoint"), "episodes": 2},
}


@one_scale
@pytest.mark.parametrize("change", NUMBERS)
def test_what_decides_every_number_changes_every_key(plan, change):
    before, after = plan(), plan(**NUMBERS[change])
    assert not set(keys(before)) & set(keys(after))
    assert after.experiment != before.experiment


BUDGETS = {
    "eps": {"eps": 0.2},
    "steps": {"steps": 3},
    "restarts": {"restarts": 1},
    "step size": {"step_size": 0.5},
    "loss": {"loss": "margin"},
    "targets": {"targets": "shifted"},
    "options": {"options": {"random_start": False}},
    "engine": {"recipe": "fgsm-linf", "steps": 1, "step_size": 1},
}


@one_scale
@pytest.mark.parametrize("change", BUDGETS)
def test_a_budget_changes_the_key_of_its_own_cell_alone(plan, change):
    clean, attacked = keys(plan())
    clean_after, attacked_after = keys(plan(threats=[{**PGD, **BUDGETS[change]}]))
    assert clean_after == clean
    assert attacked_after != attacked


def test_the_words_of_a_recipe_are_not_part_of_its_key(plan, tmp_path):
    text = "engine: pgd\nsurface: query\nknowledge: white-box\nnorm: linf\neps: 0.1\nsteps: 2\n"
    (tmp_path / "one.yaml").write_text(f"name: one\nsummary: A.\n{text}")
    (tmp_path / "two.yaml").write_text(f"name: two\nsummary: B.\nnotes: n\ncitation: c\n{text}")
    one, two = (plan(threats=[str(tmp_path / f"{name}.yaml")]) for name in ("one", "two"))
    assert keys(one) == keys(two)


@one_scale
def test_the_learner_is_its_tensors_and_options_not_its_file_or_label(plan, tiny, tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny.protonet.with_suffix(suffix), tmp_path / f"moved{suffix}")
    moved = tmp_path / "moved.safetensors"
    assert keys(plan(learners=[{"checkpoint": str(moved), "label": "x"}])) == keys(plan())
    other = save_learner(tmp_path / "other.safetensors", "protonet", seed=1)
    changed = [
        [str(other)],
        [str(tiny.maml)],
        [{"checkpoint": str(tiny.protonet), "norm_mode": "support"}],
    ]
    found = [keys(plan()), *(keys(plan(learners=entry)) for entry in changed)]
    assert len({key for pair in found for key in pair}) == 2 * len(found)


@one_scale
def test_the_data_are_their_content_not_their_place(plan, tiny, tmp_path):
    moved = shutil.copy(tiny.pictures, tmp_path / "elsewhere.zip")
    other = write_pictures(tmp_path / "other.zip", images=11)
    assert keys(plan(dataset={**tiny.dataset, "root": str(moved)})) == keys(plan())
    assert not set(keys(plan(dataset={**tiny.dataset, "root": str(other)}))) & set(keys(plan()))


@one_scale
def test_a_surrogate_is_its_tensors_not_its_file(plan, tiny, tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny.protonet.with_suffix(suffix), tmp_path / f"moved{suffix}")
    other = save_learner(tmp_path / "other.safetensors", "protonet", seed=1)

    def attacked(surrogate):
        transfer = {"recipe": "transfer-linf", "eps": 0.1, "steps": 2}
        options = {"surrogate": str(surrogate), "engine": "pgd"}
        return keys(plan(threats=[{**transfer, "options": options}]))[1]

    assert attacked(tmp_path / "moved.safetensors") == attacked(tiny.protonet) != attacked(other)


@one_scale
def test_another_data_set_is_its_content_not_its_place(plan, tiny, tmp_path):
    def replaced(root):
        options = {**tiny.dataset, "root": str(root)}
        elsewhere = {"dataset": options.pop("name"), "dataset_options": options}
        return keys(plan(threats=[{"recipe": "support-replace-outlier", "options": elsewhere}]))[1]

    one = write_pictures(tmp_path / "one.zip", images=11)
    two = write_pictures(tmp_path / "two.zip", images=12)
    moved = shutil.copy(one, tmp_path / "moved.zip")
    assert replaced(moved) == replaced(one) != replaced(two)


@one_scale
@pytest.mark.parametrize("inside", [False, True])
def test_a_plug_in_is_its_code_also_inside_another_threat(tiny, tmp_path, inside):
    def plan(code, name="engine.py"):
        engine = tmp_path / name
        engine.write_text(code)
        named = f"universal\noptions: {{engine: '{engine}:fgsm'}}" if inside else f"{engine}:fgsm"
        (tmp_path / "mine.yaml").write_text(
            f"name: mine\nsummary: Mine.\nengine: {named}\nsurface: query\n"
            "knowledge: white-box\nnorm: linf\neps: 0.1\n" + "steps: 1\n" * inside
        )
        config = AuditConfig.model_validate(tiny.audit(threats=[str(tmp_path / "mine.yaml")]))
        return make_plan(config, episodes=None, allowed_code=frozenset([str(engine)]))

    code = "from metarobust.attacks.pgd import fgsm\n"
    before, moved, edited = plan(code), plan(code, "copy.py"), plan(code + "# edited\n")
    assert keys(before) == keys(moved)
    assert keys(before)[0] == keys(edited)[0]
    assert keys(before)[1] != keys(edited)[1]
    assert before.experiment["plugins"] != edited.experiment["plugins"]


def test_every_learner_gets_every_threat_its_clean_cell_first(plan, tiny):
    found = plan(learners=[str(tiny.protonet), str(tiny.maml)], threats=[PGD, "label-flip"])
    pairs = [
        (c.description["learner"]["label"], c.description["threat"]["family"]) for c in found.cells
    ]
    families = ("clean", "attack", "labels")
    assert pairs == [(name, family) for name in ("protonet", "maml") for family in families]
    assert [cell.position for cell in found.cells] == list(range(6))
    assert [cell.gradient_calls for cell in found.cells[:3]] == [0, 2 * 2 * 2, 0]


def test_a_description_says_it_all_in_json(plan, tiny):
    for cell in plan(threats=[PGD, "label-flip", "contrast", "support-pgd-linf"]).cells:
        canonical_json(cell.description)
        learner, threat = cell.description["learner"], cell.description["threat"]
        assert learner["name"] == "protonet"
        assert learner["norm_mode"] == "running"
        assert learner["checkpoint"] == str(tiny.protonet)
        assert len(learner["weights"]) == 64
        assert cell.description["protocol"] == {
            **PROTOCOL,
            "split": "test",
            "replacement": "classes",
            "episodes": 4,
        }
        assert {"name", "digest", "info"} <= cell.description["dataset"].keys()
        assert (threat["table"] is not None) == (threat["family"] == "corruption")


class TestBlocks:
    def test_blocks_tile_the_episodes_and_the_first_of_every_cell_come_first(self, plan):
        blocks = list(plan(block=2).blocks())
        assert [(b.cell.position, b.start, b.count) for b in blocks] == [
            (0, 0, 2),
            (1, 0, 2),
            (0, 2, 2),
            (1, 2, 2),
        ]
        assert len({block.key for block in blocks}) == 4

    @pytest.mark.parametrize(
        ("asked", "planned", "limited"),
        [(1, 2, True), (2, 2, True), (3, 4, True), (5, 5, False), (9, 5, False), (None, 5, False)],
    )
    def test_a_limit_takes_whole_blocks_of_the_same_grid(self, tiny, asked, planned, limited):
        config = AuditConfig.model_validate(tiny.audit(episodes=5, block=2))
        whole, part = make_plan(config, episodes=None), make_plan(config, episodes=asked)
        assert (part.episodes, part.limited) == (planned, limited)
        assert {b.key for b in part.blocks()} <= {b.key for b in whole.blocks()}
        assert sum(b.count for b in part.blocks() if b.cell.position == 0) == planned
        assert part.experiment == whole.experiment

    def test_the_block_size_changes_blocks_and_no_cell(self, plan):
        small, large = plan(block=2), plan(block=4)
        assert keys(small) == keys(large)
        assert not {b.key for b in small.blocks()} & {b.key for b in large.blocks()}


class TestRefusals:
    """What cannot be run later is refused now."""

    def test_disjoint_episodes_run_out(self, plan):
        # 6 classes of 10 images give one turn of 2 + 2 + 2 each: two 3-way episodes.
        message = r"episodes: 4 asked for, but disjoint .* has 2; use --set episodes=2"
        with pytest.raises(ConfigError, match=message):
            plan(**protocol(replacement="disjoint"))

    def test_a_threat_that_cannot_be_run_on_a_learner(self, plan):
        message = "support-pgd-linf on protonet: poisoning needs queries of the attacker's own"
        with pytest.raises(AttackError, match=message):
            plan(threats=["support-pgd-linf"], **protocol(attacker_queries=0))

    def test_a_head_of_other_ways(self, plan, tiny):
        with pytest.raises(ConfigError, match=r"its head is for 3 ways, got an episode of 2"):
            plan(learners=[str(tiny.maml)], **protocol(ways=2))

    def test_fewer_shots_than_a_learner_trims(self, plan, tmp_path):
        trimmed = save_learner(tmp_path / "trimmed.safetensors", "trimmed")
        with pytest.raises(ConfigError, match=r"^trimmed: .* got 2 shots; set protocol\.shots to"):
            plan(learners=[str(trimmed)])

    def test_inputs_of_another_shape(self, plan, tiny):
        message = r"protonet was trained on inputs of shape \[1, 16, 16\], pictures has \[3, 20, 20"
        with pytest.raises(ConfigError, match=message):
            plan(dataset={**tiny.dataset, "size": 20, "channels": 3})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (protocol(ways=7), "meta-test has 6 classes, 7-way episodes need more"),
            (protocol(shots=7), "an episode needs 11 images per class"),
        ],
    )
    def test_too_few_classes_or_images(self, plan, change, message):
        with pytest.raises(MetarobustError, match=message):
            plan(**change)

    def test_the_same_learner_twice(self, plan, tiny):
        twice = [{"checkpoint": str(tiny.protonet), "label": label} for label in ("one", "two")]
        message = "expected cells that differ, got 'clean on one' and 'clean on two' with the same"
        with pytest.raises(ConfigError, match=message):
            plan(learners=twice)

    def test_the_same_threat_under_two_names(self, plan):
        with pytest.raises(ConfigError, match="on protonet' with the same tensors, options and b"):
            plan(threats=[PGD, {**PGD, "name": "another"}])

    def test_code_that_was_not_allowed(self, plan, tmp_path):
        (tmp_path / "engine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
        (tmp_path / "mine.yaml").write_text(
            "name: mine\nsummary: Mine.\nengine: engine.py:A\nsurface: query\n"
            "knowledge: white-box\nnorm: linf\neps: 0.1\n"
        )
        with pytest.raises(ConfigError, match="pass --allow-code"):
            plan(threats=[str(tmp_path / "mine.yaml")])
        assert not (tmp_path / "ran").exists()


class TestScale:
    @staticmethod
    def learner(scale):
        spec = LearnerSpec("centroid", "mlp", (1, 16, 16), {"scale": scale}, {"width": 8})
        return build_learner(spec)

    def test_it_follows_the_logits_and_has_two_digits(self):
        data, small = pattern_set(), Protocol(3, 2, 2, 2)
        one, many = (measure_scale(self.learner(s), data, small, 0) for s in (10.0, 3000.0))
        assert many / one == pytest.approx(300, rel=0.1)
        assert float(f"{one:.2g}") == one

    @pytest.mark.parametrize("classes", [(6, 4, 6), (6, 0, 6), (0, 0, 6), (6, 2, 6)])
    def test_it_needs_no_meta_val_classes(self, classes):
        scale = measure_scale(
            self.learner(10.0), pattern_set(classes=classes), Protocol(3, 2, 2), 0
        )
        assert scale > 0


class TestSuites:
    """Every suite can be planned as it stands, on grey images with four ways and five shots."""

    @pytest.fixture
    def pictures(self, tiny, tmp_path):
        path = write_pictures(tmp_path / "pictures.zip", images=20)
        return {**tiny.dataset, "root": str(path)}

    @pytest.mark.parametrize("name", sorted(set(bundled_names("suite")) - {"corruption-colour"}))
    def test_every_suite_of_grey_images_can_be_planned(self, plan, pictures, name):
        five = protocol(ways=4, shots=5, attacker_queries=5)
        planned = plan(threats=[name], dataset=pictures, **five)
        labels = [cell.description["threat"]["label"] for cell in planned.cells]
        assert len(set(labels)) == len(labels) > len(find_suite(name).threats) - 1

    def test_colour_is_asked_for_before_computing(self, plan):
        with pytest.raises(
            ConfigError, match=r"needs images of 3 channels, .* has 1; leave it out"
        ):
            plan(threats=["corruption-colour"])

    def test_all_corruptions_are_in_the_two_suites_of_them(self):
        entries = [ThreatEntry(recipe=name) for name in ("corruption", "corruption-colour")]
        recipes = expand_threats(entries)
        assert {recipe.engine.partition(":")[2] for recipe in recipes} == set(CORRUPTIONS)
        assert all(recipe.surface == "query" for recipe in recipes)


class TestBudgets:
    """What cannot be is refused by the plan, before anything is computed."""

    @pytest.mark.parametrize(
        ("threat", "message"),
        [
            (
                {"recipe": "pgd-l2", "eps": 16.1},
                "pgd-l2 on .*: eps=16.1 exceeds 16, the l2 distance",
            ),
            ({"recipe": "pgd-l1", "eps": 257}, "eps=257 exceeds 256, the l1 distance"),
            ({"recipe": "noise-l2", "eps": 17}, "eps=17 exceeds 16"),
            ("apgd-t-linf", "loss targeted-dlr needs 4 ways or more, got 3"),
            ("transfer-linf", r"its surrogate takes inputs of shape \[1, 28, 28\]"),
            ("foolbox-pgd", ""),
        ],
    )
    def test_an_impossible_budget(self, plan, threat, message):
        if not message:
            pytest.importorskip("foolbox")
            assert len(plan(threats=[threat]).cells) == 2
            return
        with pytest.raises(MetarobustError, match=message):
            plan(threats=[threat])

    def test_nothing_is_learned_where_it_would_be_scored(self):
        small, shape = pattern_set(classes=(2, 2, 6)), Protocol(ways=3, shots=2, queries=2)
        with pytest.raises(DataError, match="beside the audited meta-test; leave it out"):
            rehearsal_episodes(small, shape, 0, 1)


class TestStepSearch:
    """`step_size: auto` becomes a number for each learner, on classes that are never scored."""

    AUTO = {**PGD, "step_size": "auto", "steps": 4, "restarts": 1}  # noqa: RUF012

    def test_the_strongest_step_is_kept_with_its_history(self, plan):
        planned = plan(threats=[self.AUTO]).cells[1]
        search = planned.description["threat"]["search"]
        assert search["episodes"] == SEARCHED
        assert [one["step_size"] for one in search["tried"]] == list(STEP_SIZES)
        least = min(one["accuracy"] for one in search["tried"])
        (chosen,) = [o for o in search["tried"] if o["step_size"] == planned.recipe.step_size]
        assert chosen["accuracy"] == least
        assert planned.description["threat"]["step_size"] == planned.recipe.step_size

    def test_the_cell_is_the_one_of_the_number_it_found(self, plan):
        planned = plan(threats=[self.AUTO])
        size = planned.cells[1].recipe.step_size
        assert keys(plan(threats=[{**self.AUTO, "step_size": size}])) == keys(planned)

    def test_no_scored_class_is_looked_at(self):
        data, shape = pattern_set(), Protocol(ways=3, shots=2, queries=2, attacker_queries=2)
        for split, expected in (("test", "val"), ("val", "train")):
            audited = Protocol(**{**vars(shape), "split": split})
            for episode in rehearsal_episodes(data, audited, 0, 5):
                assert set(episode.class_ids.tolist()) <= set(data.splits[expected])
