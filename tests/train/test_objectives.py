"""Each objective's loss is the paper's formula, written out by hand."""

import pytest
import torch
from torch.nn import functional as F

from metarobust.config.objective import ObjectiveConfig
from metarobust.core.engine import mean_gradient, stack_episodes
from metarobust.core.episode import Episode
from metarobust.train.adversaries import attacked_queries
from metarobust.train.mixture import make_mixture
from metarobust.train.objectives import Clean
from tests.support.episodes import make_episode
from tests.support.training import SHAPE, flat_learner

EPS, STEPS = 0.05, 3
LEARNERS = [("protonet", "support"), ("protonet", "running"), ("maml", "support")]
ATTACK = {"eps": EPS, "steps": STEPS}
L2 = {"norm": "l2", "eps": 0.5, "steps": STEPS}


def objective(name, **fields):
    (found,) = make_mixture(ObjectiveConfig(name=name, **fields), 0).objectives
    return found


def small_episode(seed=0, attacker=2):
    return make_episode(seed, shape=SHAPE, dtype=torch.float64, attacker=attacker)


def cross_entropy(learner, episode, support_x, query_x):
    classify = learner.adapt(support_x, episode.support_y, ways=episode.ways)
    return F.cross_entropy(classify(query_x), episode.query_y)


def ascended(loss, x, start, eps, step):
    """Signed projected ascent, all points of the way."""
    points = [(x + eps * start.double()).clamp(0, 1)]
    for _ in range(STEPS):
        at = points[-1].detach().requires_grad_()
        (grad,) = torch.autograd.grad(loss(at), at)
        moved = at.detach() + step * eps * grad.sign()
        points.append(torch.minimum(torch.maximum(moved, x - eps), x + eps).clamp(0, 1))
    return points


def margins(logits, labels):
    truth = logits.gather(1, labels[:, None])[:, 0]
    return logits.masked_fill(F.one_hot(labels, logits.shape[1]).bool(), -torch.inf).amax(1) - truth


def scale(logits):
    """The number by which logits have a median top-two margin of 5."""
    first, second = logits.detach().topk(2, dim=1).values.T
    return (first - second).median() / 5


def divergences(p, q):
    return (p * (p / q).log()).sum(1)


def hand_queries(learner, episode, start, term="cross-entropy"):
    """PGD of one unit for each query; of every query the point with the largest margin.

    With `term` of kl, away from the clean predictions; the point with the largest divergence.
    """
    frozen = learner.adapt(episode.support_x, episode.support_y, ways=episode.ways)
    unit = scale(frozen(episode.query_x))
    clean = (frozen(episode.query_x) / unit).softmax(1)

    def losses(at):
        if term == "kl":
            return divergences(clean, (frozen(at) / unit).softmax(1))
        return F.cross_entropy(frozen(at) / unit, episode.query_y, reduction="none")

    def score(x):
        return losses(x) if term == "kl" else margins(frozen(x), episode.query_y)

    way = ascended(lambda at: losses(at).sum(), episode.query_x, start, EPS, 0.25)
    points = torch.stack([episode.query_x, *way])
    best = torch.stack([score(x) for x in points]).argmax(0)
    return points[best, torch.arange(len(best))].detach()


def hand_support(learner, episode, start):
    """PGD through adaptation; the point with most errors of the attacker's queries."""

    def logits(at):
        return learner.adapt(at, episode.support_y, ways=episode.ways)(episode.attacker_x)

    unit = scale(logits(episode.support_x))

    def loss(at):
        return F.cross_entropy(logits(at) / unit, episode.attacker_y)

    points = [episode.support_x, *ascended(loss, episode.support_x, start, EPS, 0.25)]

    def score(x):
        gaps = margins(logits(x) / unit, episode.attacker_y)
        return ((gaps > 0).sum() + gaps.mean().sigmoid()).item()

    return max(points, key=score).detach()


@pytest.mark.parametrize(("name", "norm_mode"), LEARNERS)
def test_clean_is_the_query_loss_after_adaptation(name, norm_mode):
    learner, episode = flat_learner(name, norm_mode=norm_mode), small_episode()
    found = Clean().loss(learner, Clean().prepare(episode, 0))
    assert torch.equal(found, cross_entropy(learner, episode, episode.support_x, episode.query_x))


@pytest.mark.parametrize("name", ["protonet", "maml"])
def test_adversarial_querying_by_hand(name):
    learner, episode = flat_learner(name, norm_mode="support"), small_episode()
    aq = objective("aq", attack=ATTACK)
    task = aq.prepare(episode, 5)
    expected = hand_queries(learner, episode, task.draws[0][0])
    clean = cross_entropy(learner, episode, episode.support_x, episode.query_x)
    loss = aq.loss(learner, task)
    torch.testing.assert_close(loss, cross_entropy(learner, episode, episode.support_x, expected))
    assert loss > clean


@pytest.mark.parametrize("name", ["protonet", "maml"])
@pytest.mark.parametrize("attacker", [2, 0])
def test_adversarial_support_by_hand(name, attacker):
    learner = flat_learner(name, norm_mode="support")
    episode = small_episode(attacker=attacker)
    adversarial = objective("as", attack=ATTACK)
    task = adversarial.prepare(episode, 5)
    known = episode
    if not attacker:
        known = episode._replace(attacker_x=episode.query_x, attacker_y=episode.query_y)
    expected = hand_support(learner, known, task.draws[0][0, 0])
    loss = adversarial.loss(learner, task)
    by_hand = cross_entropy(learner, episode, expected, episode.query_x)
    torch.testing.assert_close(loss, by_hand)
    parameters = list(learner.parameters())
    found = torch.autograd.grad(loss, parameters)
    wanted = torch.autograd.grad(by_hand, parameters)
    torch.testing.assert_close(found, wanted)


def test_adml_adapts_to_one_side_and_is_scored_on_the_other():
    # Yin et al. 2018: clean support and attacked queries, attacked support and clean queries.
    learner, episode = flat_learner("maml"), small_episode()
    adml = objective("adml", attack=ATTACK)
    task = adml.prepare(episode, 5)
    query_x = hand_queries(learner, episode, task[0].draws[0][0])
    support_x = hand_support(learner, episode, task[1].draws[0][0, 0])
    arms = (episode.support_x, query_x), (support_x, episode.query_x)
    expected = sum(cross_entropy(learner, episode, *arm) for arm in arms) / 2
    torch.testing.assert_close(adml.loss(learner, task), expected)


@pytest.mark.parametrize("term", ["cross-entropy", "kl"])
def test_r_maml_by_hand(term):
    learner, episode = flat_learner("protonet", norm_mode="support"), small_episode()
    robust = objective("r-maml", attack=ATTACK, term=term, beta=3)
    task = robust.prepare(episode, 5)
    attacked = hand_queries(learner, episode, task.draws[0][0], term)
    classify = learner.adapt(episode.support_x, episode.support_y, ways=episode.ways)
    clean, adversarial = classify(episode.query_x), classify(attacked)
    if term == "kl":
        regulariser = divergences(clean.softmax(1), adversarial.softmax(1)).mean()
    else:
        regulariser = F.cross_entropy(adversarial, episode.query_y)
    expected = F.cross_entropy(clean, episode.query_y) + 3 * regulariser
    torch.testing.assert_close(robust.loss(learner, task), expected)


def test_the_divergence_is_climbed_without_a_look_at_the_labels():
    learner, episode = flat_learner("protonet", norm_mode="support"), small_episode()
    wrong = episode._replace(query_y=(episode.query_y + 1) % episode.ways)
    robust = objective("r-maml", attack=ATTACK, term="kl")
    found = [
        attacked_queries(robust.threat, learner, robust.prepare(each, 5))
        for each in (episode, wrong)
    ]
    assert torch.equal(*found)
    assert not torch.equal(found[0], episode.query_x)


def squared_error(learner, episode, support_x, query_x):
    """Relation networks' own loss: of the sigmoid of each score."""
    scores = learner.adapt(support_x, episode.support_y, ways=episode.ways)(query_x)
    return (scores.sigmoid() - F.one_hot(episode.query_y, episode.ways)).square().mean()


def multi_step(learner, episode, support_x, query_x):
    """MAML++'s own loss with all weight on the mean over inner steps."""
    _, *steps = learner.trajectory([(support_x, episode.support_y)] * learner.inner_steps)
    return torch.stack(
        [
            F.cross_entropy(learner.classifier(support_x, weights)(query_x), episode.query_y)
            for weights in steps
        ]
    ).mean()


@pytest.mark.parametrize(
    ("name", "options", "own"),
    [("relation", {"loss": "mse"}, squared_error), ("mamlpp", {"multi_step": 1.0}, multi_step)],
)
def test_attacked_episodes_are_judged_by_the_learners_own_loss(name, options, own):
    learner, episode = flat_learner(name, norm_mode="support", **options), small_episode()
    clean, aq, support, robust = (
        objective(kind, **fields)
        for kind, fields in (
            ("episodic", {}),
            ("aq", {"attack": ATTACK}),
            ("as", {"attack": ATTACK}),
            ("r-maml", {"attack": ATTACK, "beta": 3}),
        )
    )
    task, poisoned = aq.prepare(episode, 5), support.prepare(episode, 5)
    query_x = hand_queries(learner, episode, task.draws[0][0])
    support_x = hand_support(learner, episode, poisoned.draws[0][0, 0])
    unharmed = own(learner, episode, episode.support_x, episode.query_x)
    attacked = own(learner, episode, episode.support_x, query_x)
    torch.testing.assert_close(clean.loss(learner, episode), unharmed)
    torch.testing.assert_close(aq.loss(learner, task), attacked)
    after = own(learner, episode, support_x, episode.query_x)
    torch.testing.assert_close(support.loss(learner, poisoned), after)
    torch.testing.assert_close(robust.loss(learner, task), unharmed + 3 * attacked)


@pytest.mark.parametrize(("name", "norm_mode"), LEARNERS)
@pytest.mark.parametrize("kind", ["aq", "as"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_empty_ball_is_clean_training_bit_for_bit(name, norm_mode, kind, dtype):
    learner = flat_learner(name, norm_mode=norm_mode).to(dtype).train()
    block = stack_episodes([make_episode(e, shape=SHAPE, dtype=dtype) for e in range(2)])
    clean, clean_losses = mean_gradient(learner, lambda e: Clean().loss(learner, e), block)
    empty = objective(kind, attack={"eps": 0.0, "steps": 2})
    tasks = stack_episodes(
        [empty.prepare(make_episode(e, shape=SHAPE, dtype=dtype), e) for e in range(2)]
    )
    found, losses = mean_gradient(learner, lambda task: empty.loss(learner, task), tasks)
    assert torch.equal(losses, clean_losses)
    assert all(torch.equal(found[key], clean[key]) for key in clean)


OBJECTIVES = {
    "episodic": {},
    "aq": {"attack": L2, "labels": "predicted"},
    "as": {"attack": L2},
    "adml": {"attack": L2},
    "r-maml": {"attack": L2, "term": "kl"},
    "label-noise": {"fraction": 0.5},
    "corruption": {"corruption": "gaussian-noise", "severity": 3},
}


@pytest.mark.parametrize(("name", "norm_mode"), LEARNERS)
@pytest.mark.parametrize("kind", OBJECTIVES)
def test_vmap_equals_loop_in_float64(name, norm_mode, kind):
    learner = flat_learner(name, norm_mode=norm_mode).train()
    found = objective(kind, **OBJECTIVES[kind])
    tasks = stack_episodes([found.prepare(small_episode(e), e) for e in range(3)])

    def loss(task):
        return found.loss(learner, task)

    loop, loop_losses = mean_gradient(learner, loss, tasks)
    mapped, mapped_losses = mean_gradient(learner, loss, tasks, backend="vmap", chunk=2)
    torch.testing.assert_close(mapped_losses, loop_losses, rtol=1e-9, atol=1e-12)
    for key, value in loop.items():
        torch.testing.assert_close(mapped[key], value, rtol=1e-8, atol=1e-11)


def test_an_attacker_without_the_truth_climbs_the_predictions():
    learner = flat_learner("protonet", norm_mode="support")
    episode = small_episode()
    wrong = episode._replace(query_y=(episode.query_y + 1) % episode.ways)
    believed = learner(episode.support_x, episode.support_y, episode.query_x, episode.ways)
    told = episode._replace(query_y=believed.argmax(1))
    aq = objective("aq", attack=ATTACK, labels="predicted")
    truth = objective("aq", attack=ATTACK)
    blind = attacked_queries(aq.threat, learner, aq.prepare(wrong, 5), "predicted")
    assert torch.equal(blind, attacked_queries(truth.threat, learner, truth.prepare(told, 5)))


def test_augmentations_change_the_episode_and_nothing_else():
    episode = make_episode(shape=(1, 28, 28), shots=5)
    noisy = objective("label-noise", fraction=0.4).prepare(episode, 3)
    assert (noisy.support_y != episode.support_y).sum() == 6
    assert all(
        torch.equal(getattr(noisy, field), getattr(episode, field))
        for field in Episode._fields
        if field != "support_y"
    )
    fields = {"corruption": "contrast", "severity": 3}
    both, query = (
        objective("corruption", **fields, surface=surface).prepare(episode, 3)
        for surface in ("both", "query")
    )
    assert not torch.equal(both.support_x, episode.support_x)
    assert torch.equal(query.support_x, episode.support_x)
    assert torch.equal(query.query_x, both.query_x)


def test_draws_are_those_of_the_task_alone():
    aq = objective("aq", attack=ATTACK)
    same = [aq.prepare(small_episode(3), 7).draws[0] for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], aq.prepare(small_episode(3), 8).draws[0])


@pytest.mark.parametrize("kind", ["aq", "as"])
def test_an_objective_leaves_the_learner_alone(kind):
    learner = flat_learner("maml")
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    found = objective(kind, attack=ATTACK)
    found.loss(learner, found.prepare(small_episode(), 0)).backward()
    assert all(torch.equal(value, before[key]) for key, value in learner.state_dict().items())
