"""On a linear classifier the exact distance to the boundary bounds every attack from both sides."""

import pytest
import torch

from metarobust.attacks.catalogue import ENGINES
from metarobust.attacks.search import searches
from metarobust.threats.ball import NORMS, Ball
from metarobust.threats.budget import Budget
from tests.support.linear import LinearProblem


def attack(engine, problem, norm, factor, aim, *, steps, step_size=0.1):
    """What an engine finds under a budget of `factor` times each point's exact distance."""
    radius = (problem.distance(norm) * factor).view(-1, 1, 1, 1)
    budget = Budget(norm, eps=1.0, steps=steps, step_size=step_size)
    draws = engine.draw(tuple(problem.x.shape), budget, torch.Generator().manual_seed(0))
    ball = Ball(norm, radius)
    found = engine.maximise(problem.objective(*aim), problem.x, ball, budget, draws.double())
    assert (ball.norm_of(found.x - problem.x) <= radius * (1 + 1e-9)).all()
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    return found


def fooled(engine, problem, norm, factor, loss, **search):
    """Which points are misclassified by what an engine finds, whatever it says itself."""
    found = attack(engine, problem, norm, factor, (loss,), **search)
    return problem.logits(found.x).argmax(1) != problem.y


CASES = {
    "fgsm": {"steps": 1, "step_size": 1.0},
    "fgsm-rs": {"steps": 1, "step_size": 1.25},
    "pgd": {"steps": 60},
    "mim": {"steps": 60},
    "apgd": {"steps": 60},
    "apgd-l1": {"steps": 60},
    "fmn": {"steps": 60},
    "square": {"steps": 60},
    "rays": {"steps": 30},
    "noise": {"steps": 0, "step_size": 1.0},
}
NORMS_OF = [(name, norm) for name in CASES for norm in NORMS if norm in ENGINES[name]().norms]


def losses_of(engine):
    return getattr(engine, "losses", ("cross-entropy", "margin"))


def test_every_engine_is_held_to_the_oracle():
    assert set(CASES) == set(ENGINES) - {"episode-autoattack"}


@pytest.mark.parametrize("ways", [2, 3, 5, 20])
@pytest.mark.parametrize(("name", "norm"), NORMS_OF)
def test_nothing_succeeds_below_the_distance(name, norm, ways):
    problem, engine = LinearProblem.random(ways, seed=ways), ENGINES[name]()
    for loss in losses_of(engine)[:2]:
        if not loss.startswith("targeted"):
            assert not fooled(engine, problem, norm, 0.98, loss, **CASES[name]).any()


@pytest.mark.parametrize("ways", [3, 4, 20])
@pytest.mark.parametrize("loss", ["dlr", "targeted-margin", "targeted-dlr"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_no_loss_succeeds_below_the_distance(norm, loss, ways):
    problem = LinearProblem.random(ways, seed=ways)
    for search in searches(ENGINES["apgd"](), Budget(norm, 1.0, losses=(loss,)), ways):
        found = attack(search.engine, problem, norm, 0.98, search.aim, steps=30)
        assert torch.equal(problem.logits(found.x).argmax(1), problem.y)


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        pair
        for pair in NORMS_OF
        # One sparse l1 step is not the steepest one.
        if pair[0] in ("fgsm", "pgd", "mim", "apgd", "apgd-l1", "fmn") and pair != ("fgsm", "l1")
    ],
)
def test_with_two_classes_every_gradient_attack_succeeds_above_the_distance(name, norm):
    problem, engine = LinearProblem.random(2), ENGINES[name]()
    for loss in losses_of(engine)[:2]:
        if not loss.startswith("targeted"):
            assert fooled(engine, problem, norm, 1.02, loss, **CASES[name]).all()


@pytest.mark.parametrize(("name", "norm"), [("square", "linf"), ("square", "l2"), ("rays", "linf")])
@pytest.mark.parametrize("ways", [2, 5])
def test_black_boxes_succeed_well_above_the_distance(name, norm, ways):
    problem, engine = LinearProblem.random(ways, seed=ways), ENGINES[name]()
    # The patterns of the l2 search suit smooth images better than these random weights.
    factor = 2.5 if norm == "l2" else 1.7
    assert fooled(engine, problem, norm, factor, "margin", steps=300).all()
    floor = fooled(ENGINES["noise"](), problem, norm, factor, "margin", steps=0)
    assert floor.double().mean() < 0.5


@pytest.mark.parametrize("name", ["pgd", "apgd"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("ways", [3, 5, 20])
def test_the_better_of_the_two_losses_succeeds_above_the_distance(ways, norm, name):
    # Untargeted ascent heads for the runner-up, which with many classes need not be the nearest
    # boundary; the two losses together find it for nearly all points just above the distance, and
    # for all of them a little further out.
    problem, engine = LinearProblem.random(ways, seed=ways), ENGINES[name]()

    def either(factor):
        return torch.stack(
            [
                fooled(engine, problem, norm, factor, loss, **CASES[name])
                for loss in ("cross-entropy", "margin")
            ]
        ).any(0)

    assert either(1.02).double().mean() >= 0.8
    assert either(1.3).all()


@pytest.mark.parametrize(("name", "loss"), [("apgd", "targeted-dlr"), ("fmn", "targeted-margin")])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("ways", [2, 3, 5, 10])
def test_targeting_each_class_finds_the_nearest_boundary(ways, norm, name, loss):
    # With at most nine wrong classes all are tried, so that no point just above the distance is
    # missed.
    problem, engine = LinearProblem.random(ways, seed=ways), ENGINES[name]()
    broken = torch.zeros(len(problem.x), dtype=torch.bool)
    for search in searches(engine, Budget(norm, 1.0, losses=(loss,)), ways):
        found = attack(engine, problem, norm, 1.02, search.aim, steps=100)
        broken |= problem.logits(found.x).argmax(1) != problem.y
    assert broken.all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("ways", [2, 3, 5, 20])
def test_the_minimum_norm_is_the_distance(ways, norm):
    problem = LinearProblem.random(ways, seed=ways)
    radii = torch.full((len(problem.x),), torch.inf, dtype=torch.float64)
    budget = Budget(norm, 1.0, losses=("margin", "targeted-margin"))
    for engine, _, aim in searches(ENGINES["fmn"](), budget, ways):
        found = attack(engine, problem, norm, 0.5, aim, steps=100)
        radii = torch.minimum(radii, found.radius)
    exact = problem.distance(norm)
    assert (radii >= exact * (1 - 1e-9)).all()
    assert (radii <= exact * 1.03).all()


@pytest.mark.parametrize("ways", [2, 5])
def test_the_radius_of_a_decision_based_search_is_an_upper_bound(ways):
    problem = LinearProblem.random(ways, seed=ways)
    found = attack(ENGINES["rays"](), problem, "linf", 0.5, ("margin",), steps=300)
    ratio = found.radius / problem.distance("linf")
    assert ratio.min() >= 1 - 1e-9
    assert ratio.median() <= 1.05


def test_fgsm_is_the_closed_form_for_two_classes():
    # x + eps sign(w_other - w_y): the exact linf optimum of a linear two-class problem.
    problem = LinearProblem.random(2)
    engine = ENGINES["fgsm"]()
    budget = Budget("linf", eps=0.01, steps=1, step_size=1.0)
    ball = Ball("linf", torch.full((len(problem.x), 1, 1, 1), 0.01, dtype=torch.float64))
    draws = engine.draw(tuple(problem.x.shape), budget, torch.Generator().manual_seed(0))
    objective = problem.objective("cross-entropy")
    found = engine.maximise(objective, problem.x, ball, budget, draws.double())
    direction = (problem.weight[1 - problem.y] - problem.weight[problem.y]).sign()
    torch.testing.assert_close(found.x, problem.x + 0.01 * direction.view_as(problem.x))


def boxed_l1_distance(problem):
    """The l1 distance inside [0, 1]: pixels move to their wall, the steepest first."""
    z = problem.logits(problem.x)
    found = []
    for x, label, logits in zip(problem.x.flatten(1), problem.y, z, strict=True):
        lengths = []
        for other in range(len(logits)):
            slope = problem.weight[other] - problem.weight[label]
            room = torch.where(slope > 0, 1 - x, x)
            order = slope.abs().argsort(descending=True)
            gain, spent = (slope.abs() * room)[order].cumsum(0), room[order].cumsum(0)
            gap = logits[label] - logits[other]
            if other == label or gain[-1] < gap:
                continue
            k = int((gain < gap).sum())
            before = gain[k] - (slope.abs() * room)[order][k]
            lengths.append(spent[k] - room[order][k] + (gap - before) / slope.abs()[order][k])
        found.append(min(lengths))
    return torch.stack(found)


@pytest.mark.parametrize("ways", [2, 4])
def test_sparse_ascent_finds_the_l1_distance_where_the_walls_are_in_the_way(ways):
    problem = LinearProblem.random(ways, seed=ways)
    problem.x = (5 * (problem.x - 0.4)).clamp(0, 1)
    problem.bias = -(problem.weight @ problem.x.flatten(1).mean(0))
    problem.y = problem.logits(problem.x).argmax(1)
    exact = boxed_l1_distance(problem)
    assert (exact > problem.distance("l1") * 1.01).any(), "the walls should matter"
    engine, broken = ENGINES["apgd-l1"](), {}
    for factor in (0.99, 1.05):
        radius = (exact * factor).view(-1, 1, 1, 1)
        budget = Budget("l1", 1.0, steps=100, losses=("targeted-margin",))
        broken[factor] = torch.zeros(len(exact), dtype=torch.bool)
        draws = engine.draw(tuple(problem.x.shape), budget, torch.Generator().manual_seed(0))
        for search in searches(engine, budget, ways):
            found = engine.maximise(
                problem.objective(*search.aim),
                problem.x,
                Ball("l1", radius),
                budget,
                draws.double(),
            )
            broken[factor] |= problem.logits(found.x).argmax(1) != problem.y
    assert not broken[0.99].any()
    assert broken[1.05].double().mean() >= 0.9
