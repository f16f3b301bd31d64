"""One word scales the searches of an audit, and nothing else."""

import pytest

from metarobust.config.catalogue import load_recipe
from metarobust.config.effort import MULTIPLIERS, with_effort
from metarobust.config.loading import bundled_names
from metarobust.core.errors import ConfigError

EVERY = [load_recipe(name) for name in bundled_names("recipe")]


def counts(name, effort):
    (found,) = with_effort([load_recipe(name)], effort)
    return found.steps, found.restarts, found.step_size


@pytest.mark.parametrize(
    ("name", "quick", "thorough"),
    [
        ("pgd-linf", (10, 1, 0.5), (40, 4, 0.25)),
        ("support-pgd-linf", (25, 1, 0.06), (100, 2, 0.03)),
        ("apgd-ce-linf", (50, 1, 0.25), (200, 2, 0.25)),
        ("square-linf", (500, 1, 0.25), (2000, 2, 0.25)),
        ("fmn-linf", (50, 1, 0.25), (200, 1, 0.25)),
        ("torchattacks-pgd", (10, 1, 0.5), (40, 1, 0.25)),
        ("fgsm-linf", (1, 1, 1.0), (1, 1, 1.0)),
        ("gaussian-noise", (1, 1, 0.25), (1, 1, 0.25)),
    ],
)
def test_steps_and_restarts_are_multiplied(name, quick, thorough):
    assert counts(name, "quick") == pytest.approx(quick)
    assert counts(name, "thorough") == pytest.approx(thorough)


@pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: recipe.name)
def test_standard_is_the_recipe_and_every_effort_a_valid_one(recipe):
    assert with_effort([recipe], "standard") == [recipe]
    for effort in MULTIPLIERS:
        (found,) = with_effort([recipe], effort)
        assert type(found).model_validate(found.model_dump(mode="json")) == found
        if effort != "standard" and recipe.steps > 1:
            assert found.label != recipe.label


def test_two_threats_that_become_one_are_refused():
    recipe = load_recipe("pgd-linf")
    pair = [recipe.model_copy(update={"steps": steps}) for steps in (9, 10)]
    with pytest.raises(ConfigError, match="effort quick leaves two threats called 'pgd-linf"):
        with_effort(pair, "quick")
