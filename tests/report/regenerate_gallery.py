"""Writes the golden report anew: `python -m tests.report.regenerate_gallery`."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from metarobust.report.model import build_report
from metarobust.report.write import write_report
from tests.support.synthetic_run import synthetic_run

GALLERY = Path(__file__).resolve().parents[2] / "reports" / "gallery" / "synthetic"


def made_with() -> dict[str, str]:
    """The libraries that decide the bytes of figures and images."""
    return {name: version(name) for name in ("matplotlib", "numpy", "pillow")}


def golden_files(folder: Path, written: list[Path]) -> dict[str, bytes]:
    """The files of a report by name, without PDF and Parquet."""
    kept = [path for path in written if path.suffix not in {".pdf", ".parquet"}]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def main() -> None:
    """Replace the gallery."""
    run = synthetic_run()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = build_report(run.manifest, run.scored, run.verdicts)
        files = golden_files(folder, write_report(folder, model))
    for old in GALLERY.rglob("*"):
        if old.is_file():
            old.unlink()
    files["made-with.json"] = (json.dumps(made_with(), indent=1) + "\n").encode()
    for name, content in files.items():
        path = GALLERY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
