"""Configuration files by path or bundled name, read into frozen models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from metarobust.config.inheritance import Resolved, resolve
from metarobust.config.mistakes import validate
from metarobust.config.model import Model
from metarobust.config.overrides import apply_overrides, parse_override
from metarobust.config.yaml import read_yaml
from metarobust.core.bundled import bundled
from metarobust.core.errors import ConfigError, did_you_mean

Kind = Literal["audit", "train", "recipe", "suite", "tune"]
M = TypeVar("M", bound=Model)

_FOLDERS: dict[Kind, tuple[str, str]] = {
    "audit": ("configs", "audit"),
    "train": ("configs", "train"),
    "tune": ("configs", "tune"),
    "recipe": ("attacks", "."),
    "suite": ("attacks", "suites"),
}
_SUFFIXES = (".yaml", ".yml")


def bundled_folder(kind: Kind) -> Path:
    """Where the bundled files of a kind are."""
    root, folder = _FOLDERS[kind]
    return bundled(root) / folder


def bundled_names(kind: Kind) -> list[str]:
    """The names of the bundled files of a kind, sorted."""
    return sorted(path.stem for path in bundled_folder(kind).glob("*.yaml"))


def find_file(source: str | Path, kind: Kind) -> Path:
    """The file that a path, or the name of a bundled file, stands for.

    A name has no folder and no suffix: `quick` is bundled, `quick.yaml` is the user's.

    Raises:
        ConfigError: there is no such file; near names are suggested.
    """
    path = Path(source)
    is_name = isinstance(source, str) and path.name == source and path.suffix not in _SUFFIXES
    known = bundled_names(kind)
    if is_name and source in known:
        return bundled_folder(kind) / f"{source}.yaml"
    if not is_name and _is_file(path):
        return path
    hint = did_you_mean(path.stem, known)
    if is_name:
        raise ConfigError(f"unknown {kind} '{source}': {hint}")
    raise ConfigError(f"no {kind} file {path}; of the bundled ones, {hint}")


def _parent(source: str, kind: Kind) -> Path:
    return find_file(Path(source) if source.endswith(_SUFFIXES) else source, kind)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A name longer than the file system allows.
        return False


def read_config(source: str | Path, kind: Kind) -> Resolved:
    """What a configuration says, on top of what it extends; not yet checked against a model.

    Raises:
        ConfigError: the file, or one it extends, is missing or not strict YAML.
    """
    return resolve(read_yaml(find_file(source, kind)), lambda parent: _parent(parent, kind))


def load_config(model: type[M], source: str | Path, kind: Kind, overrides: Sequence[str] = ()) -> M:
    """Read a configuration.

    An audit or a training may extend others; see `inheritance.resolve`.

    Args:
        model: what the file holds.
        source: a path, or the name of a bundled file.
        kind: which bundled files to look among.
        overrides: changes, each `a.b=value`, as after `--set`.

    Raises:
        ConfigError: the file or a change is wrong. The message has one line for each mistake.
    """
    found = read_config(source, kind)
    changes = [parse_override(text) for text in overrides]
    data, origins = apply_overrides(found.value, changes, model), dict(found.origins)
    for change in changes:
        stale = [p for p in origins if p[: len(change.place)] == change.place]
        for place in stale:
            del origins[place]
        origins[change.place] = f"--set {change.text}"
    return validate(model, data, origins)
