"""What an audit measures beyond the queries' logits, and along which axes of adaptation."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from metarobust.config.fields import Count, CountFromZero, Flag, OneOrMore, Text, shown
from metarobust.config.model import Model

CurveAxis = Literal["inner_steps", "shots"]


class AspectsConfig(Model):
    """Evidence that costs more than the queries' logits; without any, none of it is computed.

    Attributes:
        distractors: queries per episode of classes that are not in it, for the scores of
            out-of-distribution detection; 0 for none. One more adaptation an episode.
        explanation: whether threats to the support set are asked if they move the explanation of
            clean queries. Two more adaptations and two gradients an episode.
    """

    distractors: CountFromZero = 0
    explanation: Flag = False


def _rising(values: tuple[int, ...]) -> tuple[int, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError(f"expected rising numbers, each once, got {shown(list(values))}")
    return values


class CurvesConfig(Model):
    """Adaptation curves: the same episodes with other inner steps, and with fewer or more shots.

    Attributes:
        inner_steps: steps of the inner loop at test time; learners without one have no such curve.
        shots: support images per class; the fewer are the first of the more.
        threats: labels of the threats that are followed, the clean cell aside; by default the
            audit's attack of most steps on queries, and that on the support set.
    """

    inner_steps: Annotated[tuple[CountFromZero, ...], OneOrMore, AfterValidator(_rising)] = ()
    shots: Annotated[tuple[Count, ...], OneOrMore, AfterValidator(_rising)] = ()
    threats: Annotated[tuple[Text, ...], OneOrMore] | None = Field(default=None)

    def values(self, axis: CurveAxis) -> tuple[int, ...]:
        """The points of one axis."""
        return self.inner_steps if axis == "inner_steps" else self.shots
