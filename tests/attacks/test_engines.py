"""Every registered engine on real learners: budgets, backends, and blindness to logit scale."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metarobust.attacks.autoattack import EpisodeAutoAttack
from metarobust.attacks.catalogue import ENGINES
from metarobust.attacks.harness import attack_queries, attack_support
from metarobust.attacks.search import draw_all, gradient_calls, members, seeks_radius
from metarobust.core.engine import map_episodes, stack_episodes
from metarobust.threats.budget import Budget
from metarobust.threats.losses import margin_loss
from metarobust.threats.scale import logit_scale
from tests.support.episodes import make_episode
from tests.support.learners import small_learner

STEPS = {"fgsm": 1, "fgsm-rs": 1, "noise": 1, "square": 30}
PAIRS = [(name, norm) for name in ENGINES for norm in ENGINES[name]().norms]
EPS = {"linf": 0.02, "l2": 0.3, "l1": 2.0}
each_engine = pytest.mark.parametrize(("name", "norm"), PAIRS)


def build(name):
    """An engine or ensemble, made short."""
    return EpisodeAutoAttack(square_queries=20) if name == "episode-autoattack" else ENGINES[name]()


def budget_of(name, norm, eps=None, steps=None):
    losses = getattr(build(name), "losses", ("cross-entropy", "margin"))[:2]
    steps = steps or STEPS.get(name, 8)
    return Budget(norm, EPS[norm] if eps is None else eps, steps=steps, losses=losses)


def on_queries(engine, learner, episode, budget, *, transform=lambda z: z, scale=1.0, seed=0):
    source = torch.Generator().manual_seed(seed)
    shape = tuple(episode.query_x.shape)
    draws = draw_all(engine, budget, episode.ways, shape, source)
    draws = tuple(draw.to(episode.query_x.dtype) for draw in draws)

    def adapt(support_x):
        classify = learner.adapt(support_x, episode.support_y, ways=episode.ways)
        return lambda x: transform(classify(x))

    return attack_queries(engine, adapt, episode, budget, draws, scale=scale, joint=False)


def size(delta, norm):
    flat = delta.flatten(1)
    return flat.norm(p={"linf": torch.inf, "l2": 2, "l1": 1}[norm], dim=1)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PAIRS), st.sampled_from([0.0, 1e-3, 0.1, 3.0]), st.integers(0, 99))
def test_whatever_the_budget_it_is_kept(pair, eps, seed):
    name, norm = pair
    # In float64: in float32 the l1 norm of 256 rounded differences is itself off by 1e-6.
    episode, learner = make_episode(seed, dtype=torch.float64), small_learner("protonet").double()
    eps = min(eps, 1.0) if norm == "linf" else eps
    budget = budget_of(name, norm, eps, steps=min(STEPS.get(name, 3), 3))
    found = on_queries(build(name), learner, episode, budget, seed=seed)
    assert size(found.query_x - episode.query_x, norm).max() <= eps * (1 + 1e-9) + 1e-12
    assert found.query_x.min() >= 0
    assert found.query_x.max() <= 1
    if eps == 0:
        assert torch.equal(found.query_x, episode.query_x)


@each_engine
def test_vmap_equals_loop_in_float64(name, norm):
    episodes = [make_episode(seed, dtype=torch.float64, queries=3) for seed in range(3)]
    learner = small_learner("protonet").double().requires_grad_(False)
    engine, budget = build(name), budget_of(name, norm)
    source = torch.Generator().manual_seed(0)
    shape = tuple(episodes[0].query_x.shape)
    draws = [
        tuple(draw.double() for draw in draw_all(engine, budget, 3, shape, source))
        for _ in episodes
    ]

    def run(episode, numbers):
        def adapt(support_x):
            return learner.adapt(support_x, episode.support_y, ways=3)

        return attack_queries(engine, adapt, episode, budget, numbers, scale=1.0, joint=False)

    blocks = stack_episodes(episodes), stack_episodes(draws)
    loop = map_episodes(run, *blocks)
    mapped = map_episodes(run, *blocks, backend="vmap", chunk=2)
    for field in loop._fields:
        torch.testing.assert_close(
            getattr(mapped, field), getattr(loop, field), rtol=1e-7, atol=1e-9, msg=field
        )


@each_engine
@pytest.mark.parametrize(
    "transform", [lambda z: z * 300, lambda z: z / 300 + 1000], ids=["x300", "/300+1000"]
)
def test_the_robust_set_ignores_scale_and_shift_of_the_logits(name, norm, transform):
    learner = small_learner("protonet", ways=5).double().requires_grad_(False)
    budget, robust = budget_of(name, norm), ([], [])
    for seed in range(2):
        episode = make_episode(seed, ways=5, queries=4, dtype=torch.float64)
        classify = learner.adapt(episode.support_x, episode.support_y, ways=5)
        for kept, change in zip(robust, (lambda z: z, transform), strict=True):
            scale = logit_scale(change(classify(episode.query_x)))
            found = on_queries(build(name), learner, episode, budget, transform=change, scale=scale)
            kept.append(margin_loss(classify(found.query_x), episode.query_y) <= 0)
    assert torch.equal(torch.cat(robust[0]), torch.cat(robust[1]))


@pytest.mark.parametrize("name", ["pgd", "mim", "apgd", "square"])
@pytest.mark.parametrize("learner_name", ["protonet", "maml"])
def test_engines_that_need_no_decision_poison_support_sets(name, learner_name, episode):
    learner, engine = small_learner(learner_name), build(name)
    budget = Budget("linf", 0.1, steps=10, losses=("cross-entropy",))
    source = torch.Generator().manual_seed(0)
    shape = tuple(episode.support_x.shape)
    draws = [draw.unsqueeze(-5) for draw in draw_all(engine, budget, 3, shape, source)]
    mask = torch.tensor([True, False] * 3)

    def adapt(support_x):
        return learner.adapt(support_x, episode.support_y, ways=3)

    found = attack_support(engine, adapt, episode, budget, draws, scale=1.0, mask=mask)
    changed = (found.support_x != episode.support_x).flatten(1).any(1)
    assert not (changed & ~mask).any()
    assert found.objective_end > found.objective_start
    assert found.budget_used <= 0.1 * (1 + 1e-5)


def test_which_engines_seek_a_radius():
    budget = Budget("linf", 0.1)
    found = {name for name in ENGINES if seeks_radius(ENGINES[name](), budget)}
    assert found == {"fmn", "rays", "episode-autoattack"}


@pytest.mark.parametrize(
    ("ways", "searched"), [(2, 1 + 1 + 2), (3, 1 + 2 + 3), (5, 1 + 4 + 5), (20, 1 + 9 + 10)]
)
def test_the_ensemble_costs_one_search_for_each_class_it_approaches(ways, searched):
    budget = Budget("linf", 0.1, steps=100)
    assert gradient_calls(EpisodeAutoAttack(), budget, ways) == 100 * searched


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_ensemble_is_at_least_as_strong_as_each_member(norm):
    learner = small_learner("protonet", ways=5).requires_grad_(False)
    together, apart = [], []
    for seed in range(3):
        episode = make_episode(seed, ways=5, queries=4)
        classify = learner.adapt(episode.support_x, episode.support_y, ways=5)

        def robust(engine, budget, episode=episode, classify=classify):
            found = on_queries(engine, learner, episode, budget, scale=1.0)
            return classify(found.query_x).argmax(1) == episode.query_y

        budget = Budget(norm, EPS[norm] / 3, steps=10)
        ensemble = EpisodeAutoAttack(square_queries=20, cascade=False)
        together.append(robust(ensemble, budget))
        # The first member has the same draws in both; the others differ by theirs alone.
        apart.append(robust(*members(ensemble, budget)[0]))
    together, apart = torch.cat(together), torch.cat(apart)
    assert not (together & ~apart).any()
    assert 0 < together.float().mean() < 1


def test_a_cascade_breaks_the_same_queries_at_less_cost():
    learner = small_learner("protonet", ways=5).requires_grad_(False)
    images = {}
    for cascade in (True, False):
        seen, broken = 0, []
        for seed in range(3):
            episode = make_episode(seed, ways=5, queries=4, dtype=torch.float64)
            model = learner.double()
            classify = model.adapt(episode.support_x, episode.support_y, ways=5)

            def counted(z):
                nonlocal seen
                seen += len(z)
                return z

            engine = EpisodeAutoAttack(square_queries=20, cascade=cascade)
            budget = Budget("linf", 0.005, steps=10)
            found = on_queries(engine, model, episode, budget, transform=counted)
            broken.append(classify(found.query_x).argmax(1) != episode.query_y)
        images[cascade] = (seen, torch.cat(broken))
    assert torch.equal(images[True][1], images[False][1])
    assert images[True][0] < 0.9 * images[False][0]


def test_the_radius_says_how_far_a_query_is_from_another_answer():
    episode = make_episode(1, queries=4, dtype=torch.float64)
    learner = small_learner("protonet").double().requires_grad_(False)
    budget = Budget("l2", 0.0, steps=60, losses=("margin",))
    radius = on_queries(ENGINES["fmn"](), learner, episode, budget).radius
    assert torch.isfinite(radius).all()
    budget = Budget("l2", float(radius.median()), steps=60, losses=("margin",))
    found = on_queries(ENGINES["fmn"](), learner, episode, budget)
    classify = learner.adapt(episode.support_x, episode.support_y, ways=3)
    wrong = classify(found.query_x).argmax(1) != episode.query_y
    assert torch.equal(wrong, radius <= budget.eps)
    plain = on_queries(ENGINES["pgd"](), learner, episode, budget).radius
    assert torch.isinf(plain).all()
