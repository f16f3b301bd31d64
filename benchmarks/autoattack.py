"""`episode-autoattack` against torchattacks' parts of AutoAttack on the same adapted classifiers.

AutoAttack as published is APGD-CE, APGD-T and FAB-T with 100 steps, and Square with 5,000 queries
on the unstretched schedule; torchattacks' own `AutoAttack` class takes 10 steps. So its parts are
built by hand, each on the queries that the parts before it left correct. Weights adapted to each
episode are frozen, so that a query is an ordinary input of an ordinary N-way classifier.
"""

import argparse
import time
from importlib.metadata import version

import torch
import torchattacks
from torch import Tensor

from metarobust.assembly.checkpoint import load_checkpoint
from metarobust.assembly.dataset import load_dataset
from metarobust.attacks.autoattack import EpisodeAutoAttack
from metarobust.attacks.guard import FrozenClassifier, guarded
from metarobust.attacks.harness import attack_queries
from metarobust.attacks.search import draw_all
from metarobust.audit.plan import measure_scale
from metarobust.core.episode import Episode
from metarobust.core.seeds import generator
from metarobust.data.sampler import EpisodeSampler, Protocol
from metarobust.learners.base import Classifier, Learner
from metarobust.threats.ball import Ball
from metarobust.threats.budget import Budget

STEPS, QUERIES = 100, 5000
TORCHATTACKS_NORM = {"linf": "Linf", "l2": "L2"}


def published_parts(model: FrozenClassifier, ways: int, budget: Budget, seed: int):
    common = {"norm": TORCHATTACKS_NORM[budget.norm], "eps": budget.eps, "seed": seed}
    yield "APGD-CE", torchattacks.APGD(model, steps=STEPS, loss="ce", **common)
    yield "APGD-T", torchattacks.APGDT(model, steps=STEPS, n_classes=ways, **common)
    fab = {"steps": STEPS, "multi_targeted": True, "n_classes": ways}
    yield "FAB-T", torchattacks.FAB(model, **fab, **common)
    square = {"n_queries": QUERIES, "resc_schedule": False}
    yield "Square", torchattacks.Square(model, **square, **common)


def theirs(
    learner: Learner, classify: Classifier, episode: Episode, budget: Budget, scale: float
) -> list[Tensor]:
    """Which queries are still correct after each part."""
    x, y = episode.query_x, episode.query_y
    model = FrozenClassifier(classify, scale=scale)
    robust = classify(x).argmax(1) == y
    after = []
    with guarded(learner):
        for _, attack in published_parts(model, episode.ways, budget, int(episode.number)):
            rows = robust.nonzero().squeeze(1)
            if len(rows):
                ball = Ball(budget.norm, x.new_full((len(rows), 1, 1, 1), budget.eps))
                found = ball.project(attack(x[rows], y[rows]), x[rows])
                robust = robust.index_copy(0, rows, classify(found).argmax(1) == y[rows])
            after.append(robust)
    return after


def ours(
    learner: Learner, classify: Classifier, episode: Episode, budget: Budget, scale: float
) -> Tensor:
    engine = EpisodeAutoAttack(square_queries=QUERIES)
    shape = tuple(episode.query_x.shape)
    source = generator(0, "query", int(episode.number))
    draws = draw_all(engine, budget, episode.ways, shape, source)
    found = attack_queries(
        engine, lambda _: classify, episode, budget, draws, scale=scale, joint=False
    )
    return classify(found.query_x).argmax(1) == episode.query_y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--norm", default="linf", choices=["linf", "l2"])
    parser.add_argument("--eps", type=float, default=0.05)
    parser.add_argument("--episodes", type=int, default=40, help="25 queries each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learner = load_checkpoint("protonet-glyphs").learner.requires_grad_(False)
    dataset = load_dataset("glyphs", {})
    protocol = Protocol(ways=5, shots=5, queries=5, attacker_queries=0)
    scale = measure_scale(learner, dataset, protocol, 0)
    sampler = EpisodeSampler(dataset, protocol, 0)
    budget = Budget(options.norm, options.eps, steps=STEPS)

    clean, mine, parts, seconds = [], [], [], {"ours": 0.0, "torchattacks": 0.0}
    for number in range(options.episodes):
        episode = sampler[number]
        with torch.no_grad():
            classify = learner.adapt(episode.support_x, episode.support_y, ways=episode.ways)
            clean.append(classify(episode.query_x).argmax(1) == episode.query_y)
        began = time.process_time()
        mine.append(ours(learner, classify, episode, budget, scale))
        middle = time.process_time()
        parts.append(torch.stack(theirs(learner, classify, episode, budget, scale)))
        seconds["ours"] += middle - began
        seconds["torchattacks"] += time.process_time() - middle
        theirs_now = torch.cat([part[-1] for part in parts]).double().mean()
        now = f"{torch.cat(mine).double().mean():.1%} ours, {theirs_now:.1%} torchattacks"
        print(f"{number + 1} episodes: {now}", flush=True)

    left, after = torch.cat(mine), torch.cat(parts, 1)
    difference = 100 * (left.double().mean() - after[-1].double().mean())
    print(f"\nprotonet-glyphs, {len(left)} queries, {options.norm} eps {options.eps}")
    print(f"torch {version('torch')}, torchattacks {version('torchattacks')}, scale {scale}")
    print(f"clean accuracy           {torch.cat(clean).double().mean():.2%}")
    names = ["APGD-CE", "APGD-T", "FAB-T", "Square"]
    for name, robust in zip(names, after, strict=True):
        print(f"torchattacks + {name:8s}  {robust.double().mean():.2%}")
    print(f"episode-autoattack       {left.double().mean():.2%}  ({difference:+.2f} points)")
    print(f"broken by ours alone     {(after[-1] & ~left).sum()}")
    print(f"broken by theirs alone   {(left & ~after[-1]).sum()}")
    print(f"CPU seconds              {seconds['ours']:.0f} ours, {seconds['torchattacks']:.0f}")


if __name__ == "__main__":
    main()
