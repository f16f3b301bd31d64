"""`metarobust doctor`: is this installation sound, and what will it run on?"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from metarobust.cli.common import emit, json_option, table


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check the installation: versions, devices, bundled files, zoo, cache."""
    checks: dict[str, Callable[[], str]] = {
        "versions": _versions,
        "device": _device,
        "bundled files": _bundled,
        "zoo": _zoo,
        "torchattacks": _torchattacks,
        "cache": _cache,
        "conflicts": _conflicts,
    }
    results = [{"check": name, **_outcome(check)} for name, check in checks.items()]
    if as_json:
        emit(results)
    else:
        rows = [
            (str(r["check"]), "ok" if r["ok"] else "PROBLEM", str(r["detail"])) for r in results
        ]
        click.echo(table(rows, ("check", "state", "detail")))
    if not all(r["ok"] for r in results):
        sys.exit(1)


def _outcome(check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "detail": check()}
    except Exception as problem:
        return {"ok": False, "detail": str(problem)}


def _versions() -> str:
    from metarobust.core.environment import versions

    return ", ".join(f"{name} {version or 'absent'}" for name, version in versions().items())


def _device() -> str:
    import torch

    from metarobust.core.device import resolve_device, usable_cores

    device = resolve_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return f"{device} ({name}), {usable_cores()} usable cores"


def _bundled() -> str:
    from metarobust.config.loading import Kind, bundled_names
    from metarobust.core.bundled import bundled

    kinds: tuple[Kind, ...] = ("recipe", "suite", "audit", "train")
    counts = {kind: len(bundled_names(kind)) for kind in kinds}
    templates = bundled("reports") / "templates"
    if not all(counts.values()) or not list(templates.glob("*.j2")):
        raise FileNotFoundError(f"files are missing beside {templates}; reinstall metarobust")
    return ", ".join(f"{count} {kind}s" for kind, count in counts.items())


def _zoo() -> str:
    from metarobust.assembly.checkpoint import load_checkpoint
    from metarobust.core.bundled import bundled

    names = sorted(path.stem for path in (bundled("configs") / "zoo").glob("*.safetensors"))
    if not names:
        raise FileNotFoundError("the zoo is empty; reinstall metarobust")
    for name in names:
        load_checkpoint(name)
    return f"{', '.join(names)} load and match their digests"


def _torchattacks() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{version('torchattacks')}, used by recipes of engine torchattacks:*"
    except PackageNotFoundError:
        return "absent; recipes of engine torchattacks:* need metarobust[torchattacks]"


def _cache() -> str:
    from metarobust.data.cache import default_cache

    folder = Path(default_cache())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return f"{folder} is writable"


def _conflicts() -> str:
    import importlib
    import importlib.util

    # Beside a CPU build of torch the registry's torchvision cannot be imported, and packages that
    # find it installed then fail too.
    if importlib.util.find_spec("torchvision") is None:
        return "none"
    try:
        importlib.import_module("torchvision")
    except Exception as problem:
        raise RuntimeError(
            f"torchvision is installed but does not import ({problem}); metarobust does not need "
            "it, but other packages may stumble over it: pip uninstall torchvision"
        ) from problem
    return "none"
