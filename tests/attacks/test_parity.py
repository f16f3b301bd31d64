"""Our gradient attacks against independent implementations, from the same start."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.attacks.apgd import APGD
from metarobust.attacks.base import Judged
from metarobust.attacks.fmn import FMN
from metarobust.attacks.mim import MIM
from metarobust.attacks.pgd import PGD
from metarobust.threats.ball import Ball
from metarobust.threats.budget import Budget
from metarobust.threats.losses import Aim, attack_loss, margin_loss

foolbox = pytest.importorskip("foolbox")
torchattacks = pytest.importorskip("torchattacks")

EPS = {"linf": 0.04, "l2": 0.2}
SEED = 3


class Problem:
    """A frozen convolutional classifier of five classes and images it classifies correctly."""

    def __init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = nn.Sequential(
                nn.Conv2d(1, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8 * 36, 5)
            ).requires_grad_(False)
            self.x = 0.2 + 0.6 * torch.rand(24, 1, 8, 8)
            # Weights for logits that differ enough between the images.
            head = self.model[-1]
            head.weight.mul_(20)
            head.bias.sub_(self.model(self.x).mean(0))
        self.y = self.model(self.x).argmax(1)

    def objective(self, aim: Aim):
        clean = self.model(self.x)

        def judge(x: Tensor) -> Judged:
            logits = self.model(x)
            loss = attack_loss(logits, self.y, aim, "untargeted", clean)
            return Judged(loss, margin_loss(logits, self.y))

        return judge

    def search(self, engine, norm: str, aim: Aim, draws: Tensor, **search):
        budget = Budget(norm, **{"eps": EPS.get(norm), **search})
        ball = Ball(norm, torch.full((len(self.x), 1, 1, 1), budget.eps))
        return engine.maximise(self.objective(aim), self.x, ball, budget, draws)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem()


def start(norm: str, shape: torch.Size) -> Tensor:
    """The start that torchattacks draws after seeding torch's global generator."""
    source = torch.Generator().manual_seed(SEED)
    if norm == "linf":
        return torch.rand(shape, generator=source) * 2 - 1
    return torch.randn(shape, generator=source)


def at_least(ours: Tensor, theirs: Tensor, loss: str, tolerance: float = 1e-4) -> bool:
    """Whether every final loss of ours reaches theirs.

    Once a query is broken, which a ratio of logits says by its sign, its size says nothing: the
    divisor may be near zero.
    """
    most = torch.inf if loss == "cross-entropy" else 0.0
    return bool((ours >= theirs.clamp(max=most) - tolerance).all())


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [10, 50])
@pytest.mark.parametrize("loss", ["cross-entropy", "dlr"])
def test_apgd_is_that_of_torchattacks_or_stronger(problem, norm, steps, loss):
    name = {"cross-entropy": "ce", "dlr": "dlr"}[loss]
    peer = torchattacks.APGD(
        problem.model, norm=norm.capitalize(), eps=EPS[norm], steps=steps, loss=name
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        _, robust, theirs, _ = peer.attack_single_run(problem.x, problem.y)
    draws = start(norm, problem.x.shape).unsqueeze(0)
    found = problem.search(APGD(), norm, Aim(loss), draws, steps=steps)
    assert at_least(found.path.amax(0), theirs, loss)
    assert not ((found.score <= 0) & ~robust).any(), "torchattacks broke a query that we did not"
    assert 0 < robust.float().mean() < 1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_targeted_apgd_is_that_of_torchattacks_or_stronger(problem, norm):
    peer = torchattacks.APGDT(
        problem.model, norm=norm.capitalize(), eps=EPS[norm], steps=20, n_classes=5
    )
    ours, theirs = torch.ones(24, dtype=torch.bool), torch.ones(24, dtype=torch.bool)
    draws = start(norm, problem.x.shape).unsqueeze(0)
    for rank in (1, 2, 3, 4):
        peer.target_class = rank + 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            _, robust, loss, _ = peer.attack_single_run(problem.x, problem.y)
        found = problem.search(APGD(), norm, Aim("targeted-dlr", rank), draws, steps=20)
        # Its first checkpoint compares the first loss with an entry of the table that is still
        # zero; the paper compares it with the loss of the start. Steps may be halved at other
        # checkpoints, which moves a few losses by 3e-4 down and more than that up.
        assert at_least(found.path.amax(0), loss, "targeted-dlr", tolerance=1e-3)
        ours, theirs = ours & (found.score <= 0), theirs & robust
    assert not (ours & ~theirs).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 10])
def test_pgd_ends_where_foolboxs_does(problem, norm, steps):
    attack = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
    peer = attack(rel_stepsize=0.25, steps=steps, random_start=False)
    model = foolbox.PyTorchModel(problem.model.eval(), bounds=(0, 1))
    _, adversarial, _ = peer(model, problem.x, problem.y, epsilons=EPS[norm])
    theirs = F.cross_entropy(problem.model(adversarial), problem.y, reduction="none")
    engine, draws = PGD(random_start=False), torch.zeros(1, *problem.x.shape)
    found = problem.search(engine, norm, Aim("cross-entropy"), draws, steps=steps)
    torch.testing.assert_close(found.path[-1], theirs, rtol=1e-4, atol=1e-4)
    assert (found.path[-1] > found.path[0]).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 10])
def test_pgd_ends_where_that_of_torchattacks_does(problem, norm, steps):
    attack = {"linf": torchattacks.PGD, "l2": torchattacks.PGDL2}[norm]
    peer = attack(
        problem.model, eps=EPS[norm], alpha=0.25 * EPS[norm], steps=steps, random_start=False
    )
    theirs = F.cross_entropy(problem.model(peer(problem.x, problem.y)), problem.y, reduction="none")
    engine, draws = PGD(random_start=False), torch.zeros(1, *problem.x.shape)
    found = problem.search(engine, norm, Aim("cross-entropy"), draws, steps=steps)
    torch.testing.assert_close(found.path[-1], theirs, rtol=1e-4, atol=1e-4)


def test_momentum_ascent_ends_where_that_of_torchattacks_does(problem):
    peer = torchattacks.MIFGSM(
        problem.model, eps=EPS["linf"], alpha=0.1 * EPS["linf"], steps=10, decay=1.0
    )
    theirs = F.cross_entropy(problem.model(peer(problem.x, problem.y)), problem.y, reduction="none")
    search = {"draws": torch.zeros(0, *problem.x.shape), "steps": 10, "step_size": 0.1}
    found = problem.search(MIM(), "linf", Aim("cross-entropy"), **search)
    torch.testing.assert_close(found.path[-1], theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_minimum_norm_is_that_of_foolbox_or_smaller(problem, norm):
    attack = {
        "linf": foolbox.attacks.LInfFMNAttack,
        "l2": foolbox.attacks.L2FMNAttack,
        "l1": foolbox.attacks.L1FMNAttack,
    }[norm]
    model = foolbox.PyTorchModel(problem.model.eval(), bounds=(0, 1))
    _, adversarial, success = attack(steps=200)(model, problem.x, problem.y, epsilons=None)
    assert success.all()
    order = {"linf": torch.inf, "l2": 2, "l1": 1}[norm]
    theirs = (adversarial - problem.x).flatten(1).norm(p=order, dim=1)
    draws, aim = torch.zeros(0, *problem.x.shape), Aim("margin")
    found = problem.search(FMN(), norm, aim, draws, steps=200, eps=1.0)
    assert (found.radius / theirs).median() <= 1.02
