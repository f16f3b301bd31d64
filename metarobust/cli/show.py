"""`metarobust show`: one recipe, suite, configuration, checkpoint or schema, whole."""

import click

from metarobust.cli.common import emit, emit_config, json_option

KINDS = ("attack", "suite", "audit", "train", "tune", "checkpoint", "schema")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@json_option
def show(kind: str, name: str, as_json: bool) -> None:
    """Show one thing whole: `show attack pgd-linf`, `show schema summary`.

    Configurations are printed as YAML, fully resolved; checkpoints and schemas as JSON.
    """
    if kind == "checkpoint":
        from metarobust.assembly.checkpoint import find_checkpoint
        from metarobust.core.errors import CheckpointError
        from metarobust.core.jsonio import read_json

        emit(read_json(find_checkpoint(name).with_suffix(".json"), CheckpointError))
        return
    from metarobust.config.loading import Kind, load_config
    from metarobust.config.model import plain
    from metarobust.config.schema import MODELS, schema

    if kind == "schema":
        emit(schema(name))
        return
    which: dict[str, Kind] = {
        "attack": "recipe",
        "suite": "suite",
        "audit": "audit",
        "train": "train",
        "tune": "tune",
    }
    found = load_config(MODELS[which[kind]], name, which[kind])
    if as_json:
        emit(plain(found))
    else:
        emit_config(found)
