"""Our engine against a textbook loop: CPU time of three workloads, as ratios from one run."""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metarobust.attacks.harness import attack_queries
from metarobust.attacks.pgd import PGD
from metarobust.backbones.conv4 import Conv4
from metarobust.core.engine import map_episodes, mean_gradient, stack_episodes
from metarobust.core.episode import Episode
from metarobust.learners.maml import MAML
from metarobust.learners.protonet import ProtoNet
from metarobust.threats.budget import Budget

WAYS, SHOTS, QUERIES, WIDTH, TASKS, STEPS = 5, 5, 5, 64, 4, 10
REPEATS = 7


def episode(seed: int) -> Episode:
    source = torch.Generator().manual_seed(seed)
    labels = torch.arange(WAYS).repeat_interleave(SHOTS)
    images = [torch.rand(len(labels), 1, 28, 28, generator=source) for _ in range(3)]
    ids = torch.arange(len(labels))
    return Episode(
        *(images[0], labels, images[1], labels, images[2], labels),
        *(ids, ids, ids, torch.arange(WAYS), torch.tensor(seed)),
    )


def textbook(backbone: Conv4) -> nn.Sequential:
    layers: list[nn.Module] = []
    for block in backbone.blocks:
        kernel = block.weight.detach().permute(0, 3, 1, 2).contiguous()
        conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
        conv.weight.data.copy_(kernel)
        conv.bias.data.zero_()
        norm = nn.BatchNorm2d(kernel.shape[0], track_running_stats=False)
        layers += [conv, norm, nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


def textbook_protonet(net: nn.Module, one: Episode) -> Tensor:
    support, queries = net(one.support_x), net(one.query_x)
    prototypes = torch.stack([support[one.support_y == c].mean(0) for c in range(WAYS)])
    return -((queries[:, None] - prototypes[None]) ** 2).sum(-1)


def textbook_maml(net: nn.Module, learner: MAML, block: list[Episode]) -> list[Tensor]:
    parameters = dict(net.named_parameters())
    total = None
    for one in block:
        fast = parameters
        for _ in range(learner.inner_steps):
            loss = F.cross_entropy(
                torch.func.functional_call(net, fast, (one.support_x,)), one.support_y
            )
            grads = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
            fast = {
                k: v - learner.inner_rate * g for (k, v), g in zip(fast.items(), grads, strict=True)
            }
        loss = F.cross_entropy(torch.func.functional_call(net, fast, (one.query_x,)), one.query_y)
        grads = torch.autograd.grad(loss, list(parameters.values()))
        total = grads if total is None else [a + b for a, b in zip(total, grads, strict=True)]
    return [grad / len(block) for grad in total]


def textbook_pgd(net: nn.Module, one: Episode, start: Tensor, eps: float) -> Tensor:
    support = net(one.support_x).detach()
    prototypes = torch.stack([support[one.support_y == c].mean(0) for c in range(WAYS)])
    x = (one.query_x + start).clamp(0, 1)
    for _ in range(STEPS):
        x = x.detach().requires_grad_()
        logits = -((net(x)[:, None] - prototypes[None]) ** 2).sum(-1)
        F.cross_entropy(logits, one.query_y, reduction="sum").backward()
        step = x + eps / 4 * x.grad.sign()
        x = torch.min(torch.max(step, one.query_x - eps), one.query_x + eps).clamp(0, 1)
    return x.detach()


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    episodes = [episode(seed) for seed in range(TASKS)]
    block = stack_episodes(episodes)

    proto = ProtoNet(Conv4((1, 28, 28), width=WIDTH), norm_mode="batch").eval()
    net = textbook(proto.backbone)
    maml = MAML(Conv4((1, 28, 28), width=WIDTH), ways=WAYS, inner_steps=3, norm_mode="batch")
    nn.init.normal_(maml.head.weight, std=0.1)
    head = nn.Linear(WIDTH, WAYS)
    head.load_state_dict(maml.head.state_dict())
    maml_net = nn.Sequential(textbook(maml.backbone), head)

    def logits(one: Episode) -> Tensor:
        return proto(one.support_x, one.support_y, one.query_x, WAYS)

    def task_loss(one: Episode) -> Tensor:
        return F.cross_entropy(maml(one.support_x, one.support_y, one.query_x, WAYS), one.query_y)

    eps = 0.1
    budget = Budget("linf", eps, steps=STEPS, losses=("cross-entropy",))
    starts = torch.rand(1, 1, 1, *episodes[0].query_x.shape) * 2 - 1

    def attack(one: Episode) -> Tensor:
        def adapt(x: Tensor) -> Callable[[Tensor], Tensor]:
            return proto.adapt(x, one.support_y, ways=WAYS)

        found = attack_queries(PGD(), adapt, one, budget, starts, scale=1.0, joint=True)
        return found.query_x

    def no_grad(function: Callable[[], object]) -> Callable[[], object]:
        return torch.no_grad()(function)

    workloads: dict[str, dict[str, Callable[[], object]]] = {
        "ProtoNet evaluation": {
            "textbook": no_grad(lambda: [textbook_protonet(net, one) for one in episodes]),
            "loop": no_grad(lambda: map_episodes(logits, block)),
            "vmap": no_grad(lambda: map_episodes(logits, block, backend="vmap")),
        },
        "MAML meta-gradient": {
            "textbook": lambda: textbook_maml(maml_net, maml, episodes),
            "loop": lambda: mean_gradient(maml, task_loss, block),
            "vmap": lambda: mean_gradient(maml, task_loss, block, backend="vmap"),
        },
        "PGD-10 on queries": {
            "textbook": lambda: [
                textbook_pgd(net, one, eps * starts[0, 0, 0], eps) for one in episodes
            ],
            "loop": lambda: map_episodes(attack, block),
        },
    }
    torch.testing.assert_close(
        workloads["ProtoNet evaluation"]["loop"](),
        torch.stack(workloads["ProtoNet evaluation"]["textbook"]()),
        rtol=1e-3,
        atol=1e-2,
    )
    print("| workload | textbook | loop | vmap |\n|---|---|---|---|")
    for name, versions in workloads.items():
        seconds: dict[str, list[float]] = {key: [] for key in versions}
        for _ in range(REPEATS):
            for key, run in versions.items():
                began = time.process_time()
                run()
                seconds[key].append(time.process_time() - began)
        base = median(seconds["textbook"])
        ratios = {key: f"{base / median(values):.2f}" for key, values in seconds.items()}
        cells = [ratios.get(key, "-") for key in ("textbook", "loop", "vmap")]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
