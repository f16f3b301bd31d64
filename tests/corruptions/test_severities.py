"""The severity tables against the published generators, and the choice between them."""

from pathlib import Path

import pytest

from metarobust.core.errors import ConfigError
from metarobust.corruptions import CORRUPTIONS
from metarobust.corruptions.severities import (
    SEVERITIES,
    TABLES,
    choose_table,
    parameters,
    table_of,
)

SHAPES = {
    "cifar-c": (32, 32, 3),
    "tiny-imagenet-c": (64, 64, 3),
    "imagenet-c": (224, 224, 3),
    "mnist-c": (28, 28, 1),
}


def published() -> dict[tuple[str, str], list[tuple[float, ...]]]:
    tables = {}
    for line in Path(__file__).with_name("published_severities.txt").read_text().splitlines():
        if not line.startswith("#"):
            key, levels = line.split(":")
            name, table = key.split()
            tables[name, table] = [tuple(map(float, v.split(","))) for v in levels.split()]
    return tables


PUBLISHED = published()


@pytest.mark.parametrize(("name", "table"), PUBLISHED)
def test_published_levels(name: str, table: str) -> None:
    height, width, channels = SHAPES[table]
    levels = [
        parameters(name, severity, height=height, width=width, channels=channels)
        for severity in range(1, 6)
    ]
    assert levels == PUBLISHED[name, table]


def test_every_level_with_parameters_is_compared_with_its_source() -> None:
    one_strength = {"stripe", "inverse", "dotted-line", "zigzag", "canny-edges"}
    assert {name for name, _ in PUBLISHED} == set(SEVERITIES) - one_strength
    common = {name for name in SEVERITIES if SEVERITIES[name].benchmark is None}
    assert {key for key in PUBLISHED if key[0] in common} == {
        (n, t) for n in common for t in TABLES
    }
    for name in one_strength:
        assert all(SEVERITIES[name].levels(table) == ((),) * 5 for table in TABLES)


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
    height, width, channels = shape
    assert choose_table(*shape) == table
    assert table_of("snow", height=height, width=width, channels=channels) == table
    assert table_of("shear", height=height, width=width, channels=channels) == "mnist-c"
    assert table_of("lines", height=height, width=width, channels=channels) == "c-bar"


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_group_and_table_agree(name: str) -> None:
    group = CORRUPTIONS[name].group
    benchmark = SEVERITIES[name].benchmark
    assert (group if benchmark else None) == benchmark
    assert (group in ("common", "extra")) == (benchmark is None)


def test_only_lengths_of_the_tiny_table_grow_with_the_image() -> None:
    def level(name: str, side: int) -> float:
        return parameters(name, 3, height=side, width=side, channels=3)[0]

    assert level("gaussian-blur", 84) == pytest.approx(1.0 * 84 / 64)
    assert level("gaussian-blur", 48) == pytest.approx(1.0 * 48 / 64)
    assert level("gaussian-blur", 16) == 0.7
    assert level("gaussian-blur", 448) == 3
    assert level("gaussian-noise", 84) == 0.12
    assert level("pixelate", 84) == 0.7


@pytest.mark.parametrize(
    ("name", "at_64", "at_96"),
    [
        ("defocus-blur", (1.5, 0.1), (2.25, 0.1)),
        ("glass-blur", (0.6, 1, 2), (0.9, 1.5, 2)),
        ("motion-blur", (10, 2), (15, 3)),
        ("snow", (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7), (0.15, 0.3, 1.75, 0.55, 15, 6, 0.7)),
        ("spatter", (0.65, 0.3, 1, 0.69, 0.6, 0), (0.65, 0.3, 1.5, 0.69, 0.6, 0)),
        ("fog", (1, 2.5), (1, 2.5)),
    ],
)
def test_lengths_among_other_parameters(
    name: str, at_64: tuple[float, ...], at_96: tuple[float, ...]
) -> None:
    assert parameters(name, 3, height=64, width=64, channels=3) == at_64
    assert parameters(name, 3, height=96, width=60, channels=3) == pytest.approx(at_96)


@pytest.mark.parametrize("severity", [0, 6, -1, 2.5])
def test_severity_outside_the_table_is_refused(severity: int) -> None:
    with pytest.raises(ConfigError, match="severity of 1 to 5"):
        parameters("contrast", severity, height=32, width=32, channels=3)


def test_unknown_corruption_and_table_are_refused_with_near_names() -> None:
    with pytest.raises(ConfigError, match="did you mean 'contrast'"):
        parameters("contrst", 1, height=32, width=32, channels=3)
    with pytest.raises(ConfigError, match="did you mean 'ripple'"):
        table_of("riple", height=32, width=32, channels=3)
    with pytest.raises(ConfigError, match="did you mean 'cifar-c'"):
        SEVERITIES["contrast"].levels("cifar")
