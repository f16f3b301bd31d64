"""The severity tables against the published generators, retyped."""

import pytest

from metarobust.core.errors import ConfigError
from metarobust.corruptions import CORRUPTIONS
from metarobust.corruptions.severities import SEVERITIES, TABLES, choose_table, parameters

# Read off make_cifar_c.py, make_tinyimagenet_c.py, make_imagenet_c.py and mnist-c/corruptions.py.
PUBLISHED = {
    ("gaussian-noise", "cifar-c"): [0.04, 0.06, 0.08, 0.09, 0.10],
    ("gaussian-noise", "tiny-imagenet-c"): [0.04, 0.08, 0.12, 0.15, 0.18],
    ("gaussian-noise", "imagenet-c"): [0.08, 0.12, 0.18, 0.26, 0.38],
    ("gaussian-noise", "mnist-c"): [0.08, 0.12, 0.18, 0.26, 0.38],
    ("gaussian-blur", "cifar-c"): [0.4, 0.6, 0.7, 0.8, 1.0],
    ("gaussian-blur", "tiny-imagenet-c"): [0.5, 0.75, 1.0, 1.25, 1.5],
    ("gaussian-blur", "imagenet-c"): [1, 2, 3, 4, 6],
    ("gaussian-blur", "mnist-c"): [1, 2, 3, 4, 6],
    ("contrast", "cifar-c"): [0.75, 0.5, 0.4, 0.3, 0.15],
    ("contrast", "tiny-imagenet-c"): [0.4, 0.3, 0.2, 0.1, 0.05],
    ("contrast", "imagenet-c"): [0.4, 0.3, 0.2, 0.1, 0.05],
    ("contrast", "mnist-c"): [0.4, 0.3, 0.2, 0.1, 0.05],
    ("pixelate", "cifar-c"): [0.95, 0.9, 0.85, 0.75, 0.65],
    ("pixelate", "tiny-imagenet-c"): [0.9, 0.8, 0.7, 0.6, 0.5],
    ("pixelate", "imagenet-c"): [0.6, 0.5, 0.4, 0.3, 0.25],
    ("pixelate", "mnist-c"): [0.6, 0.5, 0.4, 0.3, 0.25],
}
SHAPES = {
    "cifar-c": (32, 32, 3),
    "tiny-imagenet-c": (64, 64, 3),
    "imagenet-c": (224, 224, 3),
    "mnist-c": (28, 28, 1),
}


@pytest.mark.parametrize(("name", "table"), PUBLISHED)
def test_published_levels(name: str, table: str) -> None:
    height, width, channels = SHAPES[table]
    levels = [
        parameters(name, severity, height=height, width=width, channels=channels)
        for severity in range(1, 6)
    ]
    assert levels == [(value,) for value in PUBLISHED[name, table]]


def test_every_corruption_has_five_levels_in_every_table() -> None:
    assert set(SEVERITIES) == set(CORRUPTIONS)
    assert all(len(SEVERITIES[name].levels(table)) == 5 for name in SEVERITIES for table in TABLES)


@pytest.mark.parametrize(
    ("shape", "table"),
    [
        ((8, 8, 1), "cifar-c"),
        ((28, 28, 1), "mnist-c"),
        ((28, 28, 3), "cifar-c"),
        ((28, 32, 1), "cifar-c"),
        ((40, 40, 3), "cifar-c"),
        ((41, 20, 3), "tiny-imagenet-c"),
        ((84, 84, 3), "tiny-imagenet-c"),
        ((112, 112, 1), "tiny-imagenet-c"),
        ((30, 113, 3), "imagenet-c"),
    ],
)
def test_table_by_size_and_channels(shape: tuple[int, int, int], table: str) -> None:
    assert choose_table(*shape) == table


def test_only_lengths_of_the_tiny_table_grow_with_the_image() -> None:
    def level(name: str, side: int) -> float:
        return parameters(name, 3, height=side, width=side, channels=3)[0]

    assert level("gaussian-blur", 84) == pytest.approx(1.0 * 84 / 64)
    assert level("gaussian-blur", 48) == pytest.approx(1.0 * 48 / 64)
    assert level("gaussian-blur", 16) == 0.7
    assert level("gaussian-blur", 448) == 3
    assert level("gaussian-noise", 84) == 0.12
    assert level("pixelate", 84) == 0.7


@pytest.mark.parametrize("severity", [0, 6, -1, 2.5])
def test_severity_outside_the_table_is_refused(severity: int) -> None:
    with pytest.raises(ConfigError, match="severity of 1 to 5"):
        parameters("contrast", severity, height=32, width=32, channels=3)


def test_unknown_corruption_and_table_are_refused_with_near_names() -> None:
    with pytest.raises(ConfigError, match="did you mean 'contrast'"):
        parameters("contrst", 1, height=32, width=32, channels=3)
    with pytest.raises(ConfigError, match="did you mean 'cifar-c'"):
        SEVERITIES["contrast"].levels("cifar")
