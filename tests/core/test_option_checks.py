"""What an option may be: its edges are where the words say."""

import math

import pytest

from metarobust.core.errors import ConfigError
from metarobust.core.option_checks import (
    check_at_least,
    check_choice,
    check_positive,
    check_share,
)


def test_values_inside_are_taken():
    check_choice("kind", "a", ("a", "b"))
    check_positive("rate", 1e-300)
    check_at_least("steps", 0, 0)
    check_share("share", 0)
    check_share("share", 1)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (check_choice, ("a ", ("a", "b"))),
        (check_positive, (0,)),
        (check_positive, (math.inf,)),
        (check_at_least, (0, 1)),
        (check_at_least, (math.inf, 1)),
        (check_share, (-1e-9,)),
        (check_share, (1 + 1e-9,)),
        (check_positive, (math.nan,)),
        (check_at_least, (math.nan, 0)),
        (check_share, (math.nan,)),
    ],
)
def test_values_outside_are_refused_by_name(check, arguments):
    with pytest.raises(ConfigError, match=r"share_of_it.*got "):
        check("share_of_it", *arguments)
