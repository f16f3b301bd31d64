"""First-order MAML, under the name it has in the literature."""

from metarobust.learners.base import LEARNERS
from metarobust.learners.gradient_learner import GradientLearner


@LEARNERS.register("fomaml")
class FOMAML(GradientLearner):
    """MAML trained without second derivatives (Finn, Abbeel & Levine 2017, section 5.2).

    Its options are those of `GradientLearner`.
    """

    family = "initialisation"
    paper = "Finn, Abbeel & Levine, ICML 2017"
    first_order = True
