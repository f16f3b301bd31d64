"""Writes the golden reports anew: `python -m tests.report.regenerate_gallery`."""

import json
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from metarobust.audit.compare import compare
from metarobust.audit.contest import bring_together
from metarobust.report.compare_model import build_comparison
from metarobust.report.compare_write import write_comparison
from metarobust.report.model import build_report
from metarobust.report.write import write_report
from tests.support.gate_example import gate_example
from tests.support.made_up_contest import synthetic_contest
from tests.support.synthetic_run import synthetic_run

GALLERIES = Path(__file__).resolve().parents[2] / "reports" / "gallery"
GALLERY = GALLERIES / "synthetic"
COMPARISON = GALLERIES / "compare"
GATE = GALLERIES / "gate"


def made_with() -> dict[str, str]:
    """The libraries that decide the bytes of figures and images."""
    return {name: version(name) for name in ("matplotlib", "numpy", "pillow")}


def golden_files(folder: Path, written: list[Path]) -> dict[str, bytes]:
    """The files of a report by name, without PDF and Parquet."""
    kept = [path for path in written if path.suffix not in {".pdf", ".parquet"}]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def golden_report(folder: Path) -> list[Path]:
    """Write the report of the synthetic run."""
    run = synthetic_run()
    return write_report(
        folder, build_report(run.manifest, run.scored, run.verdicts, curves=run.curves)
    )


def golden_gate(folder: Path) -> list[Path]:
    """Write the report of the gate example."""
    return write_report(folder, gate_example())


def golden_comparison(folder: Path) -> list[Path]:
    """Write the comparison of the synthetic run's learners and a yardstick."""
    command = ("metarobust", "compare", "runs/run-a", "runs/run-b", "runs/run-c")
    found = compare(bring_together(synthetic_contest(yardstick=True)))
    return write_comparison(folder, build_comparison(found, command))


def replace(gallery: Path, write: Callable[[Path], list[Path]]) -> None:
    """Put what is written today in the place of what a gallery holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = golden_files(folder, write(folder))
    for old in gallery.rglob("*"):
        if old.is_file():
            old.unlink()
    files["made-with.json"] = (json.dumps(made_with(), indent=1) + "\n").encode()
    for name, content in files.items():
        path = gallery / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    """Replace the galleries."""
    replace(GALLERY, golden_report)
    replace(GATE, golden_gate)
    replace(COMPARISON, golden_comparison)


if __name__ == "__main__":
    main()
