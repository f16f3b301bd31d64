"""A memory-augmented network: support images are written, one by one, into an external memory."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from metarobust.core.normalisation import NormMode
from metarobust.core.option_checks import check_at_least, check_positive, check_share
from metarobust.learners.base import LEARNERS, Classifier, Learner, cosine_similarities, memberships

_FLOOR = 1e-3


class Memory(NamedTuple):
    """What an external memory of M slots holds.

    Attributes:
        keys: [M, d].
        values: amount of each class [M, N].
        usage: how much, and how lately, each slot was read and written [M].
    """

    keys: Tensor
    values: Tensor
    usage: Tensor


@LEARNERS.register("mann")
class MANN(Learner):
    """Memory with least-recently-used access (Santoro et al. 2016, section 3, eq. 2 to 8).

    As in the paper: slots are read by the softmax of cosines between their keys and the image's; a
    write goes, by a learned gate, to where was just read or to the least used slot, which is wiped
    first; usage decays, and grows by reading and writing. Images are written one after the other,
    and a full memory forgets.

    Not as in the paper: the controller is one linear layer without a state of its own, so that it
    trains within minutes. Labels come with their images, not one step later, and are stored apart
    from the keys, one-hot, so that any number of ways can be read: logits are the log of the amount
    of each class that a query reads, plus 0.001. Queries read and do not write. Cosines have a
    learned factor. The order of writing matters to a memory but is not the caller's to choose: the
    first images of all classes, then the second ones, and so on, each class in the order of its
    keys' lengths. A shuffled support set gives the same classifier.

    Args:
        backbone: the embedding network.
        slots: M, the size of the memory; with fewer than the support images it has to forget.
        key_dim: length of a key.
        scale: factor on the cosines, where it starts.
        decay: of usage with every image.
        norm_mode: see `Learner`.

    Raises:
        ConfigError: no slot, no key, a scale that is not positive, or a decay outside [0, 1].
    """

    family = "memory"
    paper = "Santoro, Bartunov, Botvinick, Wierstra & Lillicrap, ICML 2016"

    def __init__(
        self,
        backbone: nn.Module,
        *,
        slots: int = 128,
        key_dim: int = 64,
        scale: float = 10.0,
        decay: float = 0.95,
        norm_mode: NormMode | None = None,
    ) -> None:
        super().__init__(backbone, norm_mode=norm_mode)
        check_at_least("slots", slots, 1)
        check_at_least("key_dim", key_dim, 1)
        check_positive("scale", scale)
        check_share("decay", decay)
        self.slots = slots
        self.decay = decay
        self.controller = nn.Linear(self.feature_dim, key_dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.gate = nn.Parameter(torch.tensor(-2.0))

    def adapt(
        self,
        support_x: Tensor,
        support_y: Tensor,
        *,
        ways: int,
        generator: torch.Generator | None = None,
        first_order: bool = False,
    ) -> Classifier:
        """See `Learner.adapt`."""
        features, statistics = self.embed_support(support_x)
        keys = self.controller(features)
        order = writing_order(keys, support_y, ways)
        labels = memberships(support_y, ways).to(keys.dtype)
        memory = Memory(
            keys.new_zeros(self.slots, keys.shape[1]),
            keys.new_zeros(self.slots, ways),
            keys.new_zeros(self.slots),
        )
        for key, label in zip(keys[order], labels[order], strict=True):
            memory = self.written(memory, key, label)

        def classify(query_x: Tensor) -> Tensor:
            queries = self.controller(self.embed(query_x, statistics))
            amounts: Tensor = self.read_weights(memory, queries) @ memory.values
            return (amounts + _FLOOR).log()

        return classify

    def read_weights(self, memory: Memory, keys: Tensor) -> Tensor:
        """How much of each slot is read by keys [n, d]: [n, M], of sum 1."""
        scores = self.log_scale.exp() * cosine_similarities(keys, memory.keys)
        return scores.softmax(1)

    def written(self, memory: Memory, key: Tensor, label: Tensor) -> Memory:
        """The memory after one image of a key [d] and a one-hot label [N]."""
        read = self.read_weights(memory, key.unsqueeze(0)).squeeze(0)
        slots = torch.arange(self.slots, device=key.device)
        least_used = (slots == memory.usage.argmin()).to(key.dtype)
        gate = self.gate.sigmoid()
        write = (gate * read + (1 - gate) * least_used).unsqueeze(1)
        kept = (1 - least_used).unsqueeze(1)
        return Memory(
            kept * memory.keys + write * key,
            kept * memory.values + write * label,
            self.decay * memory.usage + read + write.squeeze(1),
        )

    def learned(self) -> dict[str, Any]:
        """See `Learner.learned`."""
        return {"scale": self.log_scale.exp().item(), "gate": self.gate.sigmoid().item()}


def writing_order(keys: Tensor, labels: Tensor, ways: int) -> Tensor:
    """The order in which images are written, whatever the order in which they come: int64 [S].

    By their place within the class, in the order of the keys' lengths, then by class.

    >>> writing_order(torch.tensor([[3.0], [1.0], [2.0]]), torch.tensor([0, 0, 1]), 2)
    tensor([1, 2, 0])
    """
    lengths = keys.detach().norm(dim=1)
    shorter = lengths.unsqueeze(0) < lengths.unsqueeze(1)
    alike = labels.unsqueeze(0) == labels.unsqueeze(1)
    place = (shorter & alike).sum(1)
    turns: Tensor = place * ways + labels
    return turns.argsort()
