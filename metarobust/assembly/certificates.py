"""Certificates: what no attack can do, of learners that prove it and of any learner smoothed."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from metarobust.assembly.threat import Outcome, Prepared, Threat, adapter, judge, untouched
from metarobust.core.episode import Episode
from metarobust.core.errors import ConfigError
from metarobust.core.seeds import derive_seed
from metarobust.data import sampler
from metarobust.learners.base import Classifier, Learner
from metarobust.stats.smoothing import smoothed_radius

BATCH = 2048


@runtime_checkable
class Certifying(Protocol):
    """A learner that proves how many poisoned support images a prediction withstands."""

    norm_mode: str

    def certify(
        self, support_x: Tensor, support_y: Tensor, query_x: Tensor, *, ways: int
    ) -> Tensor:
        """Support images of every class that may be replaced by anything, int64 [Q]."""
        ...


def certifies(learner: Learner) -> bool:
    """Whether a learner proves something: under shared statistics one image moves the others."""
    return isinstance(learner, Certifying) and learner.norm_mode == "running"


def certified_poison(learner: Learner, episode: Episode, logits: Tensor) -> Tensor:
    """Poisoned images of every class that each correct prediction withstands [Q]; -1 where wrong.

    Args:
        learner: any; -1 throughout if it proves nothing.
        episode: the clean one.
        logits: of its clean queries [Q, N].
    """
    wrong = torch.full_like(episode.query_y, -1)
    if not isinstance(learner, Certifying) or not certifies(learner):
        return wrong
    proven = learner.certify(
        episode.support_x, episode.support_y, episode.query_x, ways=episode.ways
    )
    return torch.where(logits.argmax(1) == episode.query_y, proven, wrong)


@dataclass(frozen=True, kw_only=True)
class Smoothing(Threat):
    """Randomised smoothing of the adapted classifier on its queries (Cohen et al., ICML 2019).

    The smoothed classifier answers with the class that most often wins when Gaussian noise is added
    to a query. `selection` samples choose the class, `samples` others bound its share. The logits
    of the outcome are the logarithms of the shares (half a vote is added to each class), so that
    its accuracy is that of the smoothed classifier. Noise is drawn in batches from a seed that was
    drawn first, for a thousand noisy copies of a block of queries would not fit in memory.

    Attributes:
        sigma: standard deviation of the noise, in pixel units of [0, 1].
        selection: votes that choose the class, n_0 of the paper.
        samples: votes that bound its share, n of the paper.
        alpha: probability that a radius is too large.

    Raises:
        ConfigError: a number out of its range.
    """

    sigma: float
    selection: int = 100
    samples: int = 1000
    alpha: float = 1e-3

    mappable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, right, range_ in (
            ("sigma", self.sigma > 0, "above 0"),
            ("selection", self.selection >= 1, "of 1 or more"),
            ("samples", self.samples >= 1, "of 1 or more"),
            ("alpha", 0 < self.alpha < 1, "between 0 and 1"),
        ):
            if not right:
                raise ConfigError(
                    f"smoothing: expected {name} {range_}, got {getattr(self, name)}; see "
                    "attacks/certify-smoothing-l2.yaml"
                )

    def objection(self, learner: Learner, protocol: sampler.Protocol) -> str:
        """See `Threat.objection`."""
        if learner.transductive:
            return (
                "under norm_mode batch an answer depends on the other queries, and one query's "
                "radius has no meaning; use norm_mode running or support"
            )
        return ""

    def certificates(self, learner: Learner) -> tuple[str, ...]:
        """See `Threat.certificates`."""
        return ("certified_radius",)

    def prepare(self, episode: Episode, seed: int) -> Prepared:
        """See `Threat.prepare`: the seed of the noise."""
        drawn = derive_seed(seed, "smoothing", int(episode.number)) % 2**31
        return untouched(episode)._replace(draws=(torch.tensor(drawn),))

    def run(self, learner: Learner, prepared: Prepared, scale: float) -> Outcome:
        """See `Threat.run`."""
        episode = prepared.episode
        source = torch.Generator().manual_seed(int(prepared.draws[0]))
        outcome = judge(learner, episode, episode.support_x, episode.query_x)
        with torch.no_grad():
            classify = adapter(learner, episode)(episode.support_x)
            chosen = self._votes(classify, episode, self.selection, source).argmax(1, keepdim=True)
            votes = self._votes(classify, episode, self.samples, source)
        own = votes.gather(1, chosen).squeeze(1).cpu().numpy()
        radius = smoothed_radius(own, self.samples, self.sigma, self.alpha)
        shares = (votes + 0.5) / (self.samples + 0.5 * episode.ways)
        certain = torch.as_tensor(radius).to(outcome.radius)
        right = shares.argmax(1) == episode.query_y
        return outcome._replace(
            logits=shares.log().to(outcome.logits),
            changed=outcome.changed + 1.0,
            certified_radius=torch.where(right, certain, -1.0),
        )

    def _votes(
        self, classify: Classifier, episode: Episode, count: int, source: torch.Generator
    ) -> Tensor:
        """How often each class wins under noise, int64 [Q, N]."""
        x = episode.query_x
        votes = torch.zeros(len(x), episode.ways, dtype=torch.int64, device=x.device)
        at_once = max(1, BATCH // len(x))
        for done in range(0, count, at_once):
            size = (min(at_once, count - done), *x.shape)
            noisy = x + self.sigma * torch.randn(size, generator=source).to(x)
            said = classify(noisy.flatten(0, 1)).argmax(1).view(size[0], len(x))
            votes += torch.nn.functional.one_hot(said, episode.ways).sum(0)
        return votes
