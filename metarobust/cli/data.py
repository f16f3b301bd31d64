"""`metarobust data`: list, prepare and look at data sets."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from metarobust.cli.common import F, emit, json_option, say, table

if TYPE_CHECKING:
    from metarobust.data.base import Dataset


@click.group()
def data() -> None:
    """List, prepare and look at data sets."""


def loader_options(function: F) -> F:
    """`--set OPTION=VALUE` for a data set's loader."""
    return click.option(
        "--set",
        "overrides",
        metavar="OPTION=VALUE",
        multiple=True,
        help="An option of the loader, e.g. root=PATH or size=28; repeatable.",
    )(function)


@data.command("ls")
@json_option
def list_datasets(as_json: bool) -> None:
    """The data sets there are, with their options."""
    from metarobust.cli.catalogue import catalogue

    entries = catalogue("datasets")
    if as_json:
        emit(entries)
        return
    say(table([(e["name"], e["summary"]) for e in entries], ("data set", "what it is")))


@data.command()
@click.argument("name")
@loader_options
@json_option
def prepare(name: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Read or build data set NAME once, so that later runs load it from the cache."""
    dataset = _load(name, overrides)
    facts = {
        "name": dataset.name,
        "digest": dataset.digest,
        "images": len(dataset.images),
        "input_shape": list(dataset.input_shape),
        "classes": {part: len(ids) for part, ids in dataset.splits.items()},
        "info": dataset.info,
    }
    if as_json:
        emit(facts)
        return
    classes = ", ".join(f"{len(ids)} {part}" for part, ids in dataset.splits.items())
    say(
        f"{dataset.name}: {len(dataset.images)} images {list(dataset.input_shape)}, classes "
        f"{classes}, digest {dataset.digest[:16]}"
    )


@data.command()
@click.argument("name")
@loader_options
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test")
@click.option("--ways", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--shots", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--queries", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--index", type=click.IntRange(min=0), default=0, help="Which episode.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("episode.png"))
def inspect(
    name: str,
    overrides: tuple[str, ...],
    split: str,
    ways: int,
    shots: int,
    queries: int,
    seed: int,
    index: int,
    out: Path,
) -> None:
    """Draw an episode of data set NAME as a contact sheet, a PNG file."""
    from metarobust.core.jsonio import write_atomic
    from metarobust.data.contact import contact_sheet
    from metarobust.data.sampler import EpisodeSampler, Protocol

    dataset = _load(name, overrides)
    protocol = Protocol(ways, shots, queries, 0, split)
    episode = EpisodeSampler(dataset, protocol, seed)[index]
    write_atomic(out, contact_sheet(episode, dataset.class_names))
    say(f"episode {index} of meta-{split}: {out}")


def _load(name: str, overrides: tuple[str, ...]) -> "Dataset":
    from metarobust.assembly.dataset import load_dataset
    from metarobust.config.dataset import DatasetConfig
    from metarobust.config.mistakes import validate
    from metarobust.config.overrides import apply_overrides, parse_override

    changes = [parse_override(text) for text in overrides]
    data = apply_overrides({"name": name}, changes, DatasetConfig)
    config = validate(DatasetConfig, data, {(): "--set"})
    return load_dataset(config.name, config.options)
