"""`metarobust show`: one recipe, suite, configuration, checkpoint or schema, whole."""

import click

from metarobust.cli.common import emit, emit_config, json_option

KINDS = ("attack", "suite", "audit", "train", "tune", "checkpoint", "checks", "schema")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name", required=False)
@json_option
def show(kind: str, name: str | None, as_json: bool) -> None:
    """Show one thing whole: `show attack pgd-linf`, `show schema summary`, `show checks`.

    Configurations are printed as YAML, fully resolved; checkpoints and schemas as JSON. `checks`
    are all sanity checks, or the one of a name or a number: `show checks R11`.
    """
    if kind == "checks":
        _show_checks(name, as_json=as_json)
        return
    if name is None:
        raise click.UsageError(f"show {kind} needs a name; `metarobust ls` lists what there is")
    if kind == "checkpoint":
        from metarobust.assembly.checkpoint import find_checkpoint
        from metarobust.core.errors import CheckpointError
        from metarobust.core.jsonio import read_json

        emit(read_json(find_checkpoint(name).with_suffix(".json"), CheckpointError))
        return
    from metarobust.config.loading import Kind, load_config
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
    emit_config(load_config(MODELS[which[kind]], name, which[kind]), as_json=as_json)


def _show_checks(name: str | None, *, as_json: bool) -> None:
    """Print the sanity checks, whole."""
    from metarobust.audit.checks import CHECKS
    from metarobust.core.errors import ConfigError, did_you_mean

    chosen = [check for check in CHECKS if name is None or name in (check.id, check.name)]
    if not chosen:
        known = [word for check in CHECKS for word in (check.name, check.id)]
        raise ConfigError(f"there is no check '{name}': {did_you_mean(str(name), known)}")
    entries = [{fact: getattr(check, fact) for fact in ("id", "name", *_FACTS)} for check in chosen]
    if as_json:
        emit(entries)
        return
    for entry in entries:
        click.echo(f"{entry['id']}  {entry['name']}")
        for fact in _FACTS:
            click.echo(f"    {fact.replace('_', ' ')}: {entry[fact]}")


_FACTS = ("looks_at", "formula", "threshold", "advice")
