"""Attacks of other libraries through the bridge, against classifiers with known robust radii."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from metarobust.attacks.external import LIBRARIES, library_attack
from metarobust.attacks.external_catalogue import TORCHATTACKS
from metarobust.attacks.foolbox_catalogue import FOOLBOX
from metarobust.core.errors import AttackError

torchattacks = pytest.importorskip("torchattacks")
foolbox = pytest.importorskip("foolbox")

SINGLE_STEP = {"FGSM", "FFGSM", "FGM"}
INSTALLED = [
    *(("torchattacks", name) for name in sorted(TORCHATTACKS) if hasattr(torchattacks, name)),
    *(("foolbox", name) for name in sorted(FOOLBOX)),
]


def steps_of(name: str, steps: int) -> int:
    return 1 if name in SINGLE_STEP or name.endswith("FastGradientAttack") else steps


class ProtoNet:
    """Nearest prototype in pixel space, -scale * |x - c|^2, with queries well inside [0, 1].

    Its differences of logits are linear in x, so the robust radius of a query is exactly the least
    of (z_y - z_j) / ||2 scale (c_y - c_j)||_q, with q the dual norm. Its logits are all negative.
    """

    def __init__(self, ways: int = 5, queries: int = 32, scale: float = 30.0) -> None:
        generator = torch.Generator().manual_seed(0)
        self.ways = ways
        self.scale = scale
        self.prototypes = 0.5 + 0.1 * torch.randn(ways, 36, generator=generator)
        own = self.prototypes[torch.arange(queries) % ways].view(-1, 1, 6, 6)
        noise = 0.5 + 0.08 * torch.randn(queries, 1, 6, 6, generator=generator)
        self.x = (0.35 * own + 0.65 * noise).clamp(0.3, 0.7)
        self.y = self(self.x).argmax(1)

    def __call__(self, x: Tensor) -> Tensor:
        return -self.scale * (x.flatten(1)[:, None] - self.prototypes).square().sum(-1)

    def gaps(self) -> Tensor:
        """How far the true logit is above each other one, infinite for itself."""
        z = self(self.x)
        others = torch.arange(self.ways) != self.y[:, None]
        return (z.gather(1, self.y[:, None]) - z).where(others, torch.inf)

    def radii(self, norm: str) -> Tensor:
        normals = 2 * self.scale * (self.prototypes[self.y][:, None] - self.prototypes)
        dual = {"linf": 1, "l2": 2, "l1": torch.inf}[norm]
        length = normals.norm(p=dual, dim=-1)
        return (self.gaps() / length).amin(1)

    def safe_scale(self) -> float:
        return max(1.0, float(self.gaps().amin(1).median()) / 5)

    def fooled(self, x: Tensor) -> Tensor:
        return self(x).argmax(1) != self.y


def attack(
    name: str, target: Any, eps: float = 0.02, library: str = "torchattacks", **changes: Any
) -> Tensor:
    arguments: dict[str, Any] = {
        "classifier": target,
        "learner_module": nn.Identity(),
        "x": target.x,
        "y": target.y,
        "ways": target.ways,
        "steps": steps_of(name, 20),
        "norm": "linf",
        "options": {},
        "seed": 0,
    }
    return library_attack(LIBRARIES[library], name, eps=eps, **(arguments | changes))


@pytest.mark.parametrize("ways", [2, 5])
@pytest.mark.parametrize(
    ("library", "name", "norm", "options"),
    [
        ("torchattacks", "FGSM", "linf", {}),
        ("torchattacks", "PGD", "linf", {}),
        ("torchattacks", "APGD", "linf", {}),
        ("torchattacks", "FAB", "linf", {}),
        ("torchattacks", "PGDL2", "l2", {}),
        ("torchattacks", "APGD", "l2", {}),
        ("torchattacks", "FAB", "l2", {}),
        ("torchattacks", "DeepFool", "l2", {}),
        ("torchattacks", "CW", "l2", {"c": 0.1}),
        ("foolbox", "FGSM", "linf", {}),
        ("foolbox", "PGD", "linf", {}),
        ("foolbox", "LInfFMNAttack", "linf", {}),
        ("foolbox", "L2PGD", "l2", {}),
        ("foolbox", "DDNAttack", "l2", {}),
        ("foolbox", "L2DeepFoolAttack", "l2", {}),
        ("foolbox", "L1FMNAttack", "l1", {}),
    ],
)
def test_exact_radii_bound_every_attack_from_both_sides(
    library: str, name: str, norm: str, options: dict[str, Any], ways: int
) -> None:
    target = ProtoNet(ways)
    radii = target.radii(norm)
    eps = float(radii.median())
    steps = {"FGSM": 1, "CW": 300}.get(name, 50)
    found = attack(
        name, target, eps, library, norm=norm, steps=steps, options=options,
        scale=target.safe_scale(),
    )  # fmt: skip
    fooled = target.fooled(found)
    assert not fooled[radii > 1.001 * eps].any()
    # One sign step of a softmax loss is exact for two classes only, and with more these searches
    # of foolbox head for the likeliest boundary, not the nearest.
    if name not in ("FGSM", "DDNAttack", "L1FMNAttack") or ways == 2:
        assert fooled[radii < 0.9 * eps].all()


@pytest.mark.parametrize("scale", [30.0, 3e3, 3e4])
@pytest.mark.parametrize(
    ("name", "norm", "options"),
    [("APGD", "linf", {}), ("PGD", "linf", {}), ("PGDL2", "l2", {}), ("CW", "l2", {"c": 0.1})],
)
def test_large_logits_do_not_hide_a_weak_learner(
    name: str, norm: str, options: dict[str, Any], scale: float
) -> None:
    """Raw torchattacks calls a ProtoNet robust where its logits are large, or merely negative."""
    target = ProtoNet(scale=scale)
    radii = target.radii(norm)
    eps = float(radii.median())
    weak = radii < 0.9 * eps

    model = Raw(target)
    own = {"CW": {"c": 0.1}, "APGD": {"eps": eps, "norm": "Linf"}}
    arguments = own.get(name, {"eps": eps, "alpha": eps / 4})
    raw = getattr(torchattacks, name)(model, steps=100, **arguments)(target.x, target.y)
    if name == "CW":
        assert torch.allclose(raw, target.x, atol=1e-6)
    elif scale >= 3e3:
        assert target.fooled(raw)[weak].float().mean() < 0.5

    steps = 300 if name == "CW" else 100
    found = attack(
        name, target, eps, norm=norm, steps=steps, options=options, scale=target.safe_scale()
    )
    assert target.fooled(found)[weak].all()


class Raw(nn.Module):
    """A classifier as torchattacks would be given it without the bridge."""

    def __init__(self, classifier: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.classifier = classifier
        self.device_hint = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x)


class Linear:
    """A linear classifier of images with 1 or 3 channels, where asked with saturated pixels."""

    ways = 5

    def __init__(self, channels: int, saturated: bool) -> None:
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.randn(channels * 256, self.ways, generator=generator)
        self.x = torch.rand(5, channels, 16, 16, generator=generator)
        if saturated:
            self.x[:, :, 0] = 0.0
            self.x[:, :, 1] = 1.0
        self.y = self(self.x).argmax(1)

    def __call__(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


def test_at_least_twenty_attacks_of_either_library_run() -> None:
    offered = Counter(library for library, _ in INSTALLED)
    assert offered["torchattacks"] >= 20
    assert offered["foolbox"] >= 20


@pytest.mark.parametrize(
    ("library", "name", "norm"),
    [
        (library, name, norm)
        for library, name in INSTALLED
        for norm in LIBRARIES[library].attacks[name].norms
    ],
)
def test_every_attack_keeps_its_budget_and_follows_its_seed(
    library: str, name: str, norm: str
) -> None:
    channels = LIBRARIES[library].attacks[name].channels or 1
    target = Linear(channels, saturated=name != "EADEN")
    eps = {"linf": 0.05, "l2": 0.5, "l1": 3.0}[norm]
    steps = steps_of(name, 10)
    before = target.x.clone()
    one, two = (attack(name, target, eps, library, norm=norm, steps=steps) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(target.x, before)
    delta = (one - target.x).flatten(1).double()
    size = delta.norm(p={"linf": torch.inf, "l2": 2, "l1": 1}[norm], dim=1)
    assert size.max() <= eps * (1 + 1e-5) + 1e-6
    assert torch.equal(one, one.clamp(0, 1))
    assert not one.requires_grad


def test_another_seed_gives_another_attack() -> None:
    one, two = (attack("PGD", ProtoNet(), steps=1, seed=seed) for seed in (0, 1))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("name", ["PGD", "CW"])
def test_zero_budget_and_empty_batch_return_the_queries(name: str) -> None:
    target = ProtoNet()
    norm = TORCHATTACKS[name].norms[0]
    assert torch.equal(attack(name, target, 0.0, norm=norm), target.x)
    assert attack(name, target, x=target.x[:0], y=target.y[:0], norm=norm).shape == (0, 1, 6, 6)


@pytest.mark.parametrize("name", ["FGSM", "PGD", "APGD", "FAB", "Square", "UPGD", "TPGD"])
def test_two_ways(name: str) -> None:
    target = ProtoNet(ways=2)
    found = attack(name, target, float(target.radii("linf").quantile(0.75)))
    assert found.shape == target.x.shape


def test_l2_steps_do_not_depend_on_the_batch_size() -> None:
    """Raw PGDL2 divides a gradient of the batch mean by its norm plus 1e-10."""
    target = ProtoNet(scale=300.0)
    options = {"random_start": False}
    few = attack("PGDL2", target, 0.05, norm="l2", options=options, x=target.x[:4], y=target.y[:4])
    many = attack(
        "PGDL2", target, 0.05, norm="l2", options=options,
        x=target.x[:4].repeat(150, 1, 1, 1), y=target.y[:4].repeat(150),
    )  # fmt: skip
    torch.testing.assert_close(few, many[:4], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["PGD", "PGDL2", "APGD", "FAB", "CW", "DeepFool"])
def test_channels_last_learner_and_batch(name: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(400, 4))
    net = net.to(memory_format=torch.channels_last)
    x = torch.rand(4, 3, 12, 12).to(memory_format=torch.channels_last)
    found = library_attack(
        LIBRARIES["torchattacks"], name, net, net, x, net(x).argmax(1), ways=4, eps=0.1, steps=3,
        norm=TORCHATTACKS[name].norms[0], options={}, seed=0,
    )  # fmt: skip
    assert found.shape == x.shape


def few_shot_learner() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(64, 4)
    )
    net.train()
    net[3].eval()
    net[0].bias.requires_grad_(False)
    net[0].weight.grad = torch.ones_like(net[0].weight)
    return net


def footprint(net: nn.Module) -> list[object]:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return [
        [module.training for module in net.modules()],
        [(p.requires_grad, None if p.grad is None else p.grad.tolist()) for p in net.parameters()],
        {name: tensor.tolist() for name, tensor in net.state_dict().items()},
        torch.get_rng_state().tolist(),
        (kind, keys.tolist(), rest),
        random.getstate(),
    ]


@pytest.mark.parametrize("calls", [None, 6])
@pytest.mark.parametrize(
    ("library", "name"),
    [
        *(("torchattacks", name) for name in ("FGSM", "PGD", "PGDL2", "MIFGSM")),
        *(("torchattacks", name) for name in ("APGD", "FAB", "CW", "Square")),
        *(("foolbox", name) for name in ("PGD", "L2CarliniWagnerAttack", "LInfFMNAttack")),
    ],
)
def test_learner_and_global_generators_are_untouched(
    library: str, name: str, calls: int | None
) -> None:
    """Also when the classifier fails after some calls, with BatchNorm left in training mode."""
    net, facts = few_shot_learner(), LIBRARIES[library].attacks[name]
    target = ProtoNet(ways=4, queries=8)
    seen = 0

    def classifier(x: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        if seen == calls:
            raise RuntimeError("out of luck")
        net[1].training = facts.joint
        return net(x)

    y = torch.arange(8) % 4
    before = footprint(net)
    arguments = {"learner_module": net, "classifier": classifier, "y": y}
    arguments |= {"norm": facts.norms[0], "library": library}
    if calls and name != "FGSM":
        with pytest.raises(AttackError, match="out of luck"):
            attack(name, target, **arguments)
    else:
        attack(name, target, **arguments)
    assert footprint(net) == before


def test_a_failure_names_toolkit_attack_and_cause() -> None:
    target = ProtoNet()
    seen = 0

    def classifier(x: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        if seen > 2:
            raise IndexError("index -6 is out of bounds")
        return target(x)

    with pytest.raises(AttackError, match=r"torchattacks PGD: failed with IndexError: index -6"):
        attack("PGD", target, classifier=classifier)


@pytest.mark.parametrize("name", ["APGD", "FAB", "Square", "CW"])
def test_row_by_row_attacks_refuse_a_transductive_classifier(name: str) -> None:
    target = ProtoNet()

    def transductive(x: Tensor) -> Tensor:
        return target(x - x.mean(0) + 0.5)

    norm = TORCHATTACKS[name].norms[0]
    with pytest.raises(AttackError, match="changes with the batch around it"):
        attack(name, target, classifier=transductive, norm=norm)
    assert attack("PGD", target, classifier=transductive).shape == target.x.shape


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (lambda x: x + 0.03, "spent 0.03 of a budget of 0.02"),
        (lambda x: x * torch.nan, "not finite"),
        (lambda x: x[1:], "returned"),
        (lambda x: None, "returned"),
        (lambda x: x + 0.9, r"left \[0, 1\]"),
    ],
)
def test_an_attack_that_breaks_its_contract_is_an_error(
    monkeypatch: pytest.MonkeyPatch, result: Callable[[Tensor], Any], reason: str
) -> None:
    def cheat(model: nn.Module, eps: float = 0.0, steps: int = 1) -> Callable[..., Any]:
        return lambda images, labels: result(images)

    monkeypatch.setattr(torchattacks, "PGD", cheat)
    with pytest.raises(AttackError, match=reason):
        attack("PGD", ProtoNet())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x": 2 * torch.ones(32, 1, 6, 6)}, r"\[0, 1\]"),
        ({"x": torch.full((32, 1, 6, 6), torch.nan)}, r"\[0, 1\]"),
        ({"x": torch.rand(32, 36)}, r"\[Q, C, H, W\]"),
        ({"y": torch.full((32,), 5)}, r"labels in \[0, 5\)"),
        ({"y": torch.zeros(3, dtype=torch.int64)}, "int64 labels"),
        ({"ways": 4, "y": torch.zeros(32, dtype=torch.int64)}, r"needs logits \[32, 4\]"),
        ({"classifier": lambda x: torch.full((len(x), 5), torch.inf)}, "finite logits"),
    ],
)
def test_input_an_attack_would_mistreat_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(AttackError, match=reason):
        attack("PGD", ProtoNet(), **changes)


def test_grey_images_are_refused_where_three_channels_are_needed() -> None:
    with pytest.raises(AttackError, match="needs 3 channels, got 1"):
        attack("TIFGSM", ProtoNet())
