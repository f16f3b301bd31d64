"""Where and with what a run was made: the facts a manifest records."""

import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import metarobust

PACKAGES = ("torch", "numpy", "scipy", "matplotlib", "pillow", "safetensors", "torchattacks")


def versions() -> dict[str, str | None]:
    """Versions of Python, of this package and of those its numbers depend on; None if absent."""
    found: dict[str, str | None] = {
        "metarobust": metarobust.__version__,
        "python": platform.python_version(),
    }
    return found | {package: _version(package) for package in PACKAGES}


def environment() -> dict[str, Any]:
    """Versions, platform and the commit of the checkout, if it is one."""
    return {"versions": versions(), "platform": platform.platform(), "commit": _commit()}


def command_line() -> list[str]:
    """The command as it was typed, however the program was found."""
    return ["metarobust", *sys.argv[1:]]


def now() -> str:
    """This moment, as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    folder = Path(metarobust.__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
