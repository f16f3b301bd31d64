"""Writes the golden reports anew: `python -m tests.report.regenerate_gallery`."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from metarobust.report.model import ReportModel, build_report
from metarobust.report.write import write_report
from tests.support.gate_example import gate_example
from tests.support.synthetic_run import synthetic_run

GALLERY = Path(__file__).resolve().parents[2] / "reports" / "gallery" / "synthetic"
GATE = GALLERY.with_name("gate")


def made_with() -> dict[str, str]:
    """The libraries that decide the bytes of figures and images."""
    return {name: version(name) for name in ("matplotlib", "numpy", "pillow")}


def golden_files(folder: Path, written: list[Path]) -> dict[str, bytes]:
    """The files of a report by name, without PDF and Parquet."""
    kept = [path for path in written if path.suffix not in {".pdf", ".parquet"}]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def regenerate(gallery: Path, model: ReportModel) -> None:
    """Replace one golden report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = golden_files(folder, write_report(folder, model))
    for old in gallery.rglob("*"):
        if old.is_file():
            old.unlink()
    files["made-with.json"] = (json.dumps(made_with(), indent=1) + "\n").encode()
    for name, content in files.items():
        path = gallery / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    """Replace the gallery."""
    run = synthetic_run()
    regenerate(GALLERY, build_report(run.manifest, run.scored, run.verdicts))
    regenerate(GATE, gate_example())


if __name__ == "__main__":
    main()
