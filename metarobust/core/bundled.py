"""The folders that travel with the code: recipes, configurations, templates."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(kind: str) -> Path:
    """The folder `attacks`, `configs` or `reports` of the wheel, else of the checkout."""
    packaged = _PACKAGE / "_bundled" / kind
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind
