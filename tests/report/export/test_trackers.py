"""Trackers are told every cell; an absent one is named, one that fails is excused."""

import json
import subprocess
import sys
import types
from collections import defaultdict

import pytest
from click.testing import CliRunner

from metarobust.cli.export import FOLDERS, SERVERS, export
from metarobust.core.errors import ConfigError, MetarobustError
from metarobust.core.extras import required
from metarobust.report.export.mlflow import to_mlflow
from metarobust.report.export.record import (
    attachments,
    conditions,
    measures,
    plain_refusals,
    title,
)
from metarobust.report.export.tensorboard import to_tensorboard
from metarobust.report.export.wandb import to_wandb

PACKAGES = ("tensorboard", "mlflow", "wandb")


@pytest.fixture
def folder(tmp_path):
    for name in ("report.html", "manifest.json", "run.db"):
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.fixture
def absent(monkeypatch):
    loaded = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
    for name in (*loaded, *PACKAGES):
        monkeypatch.setitem(sys.modules, name, None)


class Context:
    """Attributes, and a `with` that does nothing."""

    def __init__(self, **facts):
        self.__dict__.update(facts)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class FakeMlflow(types.ModuleType):
    """Remembers what was logged to which of its nested runs."""

    def __init__(self):
        super().__init__("mlflow")
        self.runs, self.names = defaultdict(dict), []
        self.files = []

    def start_run(self, run_name, nested=False):
        assert nested == bool(self.names)
        self.names.append(run_name)
        return Context(info=Context(run_id="r1"))

    def set_experiment(self, name):
        self.experiment = name

    def set_tags(self, tags):
        self.runs[self.names[-1]] |= tags

    log_params = set_tags

    def log_metrics(self, metrics):
        assert all(isinstance(value, float | int) for value in metrics.values())
        self.runs[self.names[-1]] |= metrics

    def log_artifact(self, path):
        self.files.append(path)

    def get_tracking_uri(self):
        return "fake:"


class FakeWandb(types.ModuleType):
    """Remembers the one run."""

    def __init__(self):
        super().__init__("wandb")
        self.summary, self.logged, self.files = {}, {}, []

    def init(self, **facts):
        self.facts = facts
        return Context(
            url=None, dir="offline", log=self.logged.update, summary=self.summary,
            log_artifact=lambda artifact: None,
        )  # fmt: skip

    def Table(self, columns, data):  # noqa: N802
        return [dict(zip(columns, row, strict=True)) for row in data]

    def Artifact(self, name, type):  # noqa: N802
        return Context(add_file=self.files.append)


def test_a_cell_is_its_conditions_and_its_known_scores(model):
    row = next(row for row in model.rows if title(row) == "maml/fgsm-linf eps=16/255")
    facts = conditions(row)
    assert (facts["status"], facts["eps"], facts["steps"]) == ("suspect", 16 / 255, 1)
    assert None not in facts.values()
    numbers = measures(row)
    accuracy = row.accuracy
    assert numbers["accuracy"] == accuracy.value
    assert (numbers["accuracy_low"], numbers["accuracy_high"]) == (accuracy.low, accuracy.high)
    assert numbers["episodes"] == 40
    failed = next(row for row in model.rows if row.status == "error")
    assert measures(failed) == {"episodes": 0}
    assert len({title(row) for row in model.rows}) == len(model.rows)


def test_evidence_is_no_attachment(folder):
    assert [path.name for path in attachments(folder)] == ["report.html", "manifest.json"]


def test_mlflow_has_a_nested_run_a_cell(monkeypatch, model, folder):
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    assert to_mlflow(model, folder, "mine") == "fake:, experiment mine, run r1"
    assert fake.experiment == "mine"
    assert fake.names == [model.name, *map(title, model.rows)]
    assert len(fake.files) == 2
    for row in model.rows:
        assert fake.runs[title(row)] == conditions(row) | measures(row)


def test_wandb_has_one_run_with_a_table(monkeypatch, model, folder):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    assert to_wandb(model, folder, "mine") == "offline"
    assert fake.facts["project"] == "mine"
    assert fake.facts["config"] == dict(model.protocol)
    assert len(fake.logged["cells"]) == len(model.rows)
    assert len(fake.files) == 2
    for row, record in zip(model.rows, fake.logged["cells"], strict=True):
        known = {name: value for name, value in record.items() if value is not None}
        assert known == conditions(row) | measures(row)
        for name, value in measures(row).items():
            assert fake.summary[f"{title(row)}/{name}"] == value


def test_tensorboard_reads_what_was_written(model, tmp_path):
    pytest.importorskip("tensorboard")
    accumulator = required(
        "tensorboard.backend.event_processing.plugin_event_accumulator", "tensorboard"
    )
    for _ in range(2):  # the second export replaces the first
        to_tensorboard(model, tmp_path)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == len(model.rows)
    for row, folder in list(zip(model.rows, folders, strict=True))[::8]:
        events = accumulator.EventAccumulator(str(folder)).Reload()
        found = {
            tag: [event.tensor_proto.float_val[0] for event in events.Tensors(tag)]
            for tag in events.Tags()["tensors"]
            if not tag.startswith("_")
        }
        expected = {name: [pytest.approx(value)] for name, value in measures(row).items()}
        assert found == expected


@pytest.mark.parametrize("name", PACKAGES)
def test_an_absent_package_is_named_with_its_extra(absent, model, folder, name):
    call = {
        "tensorboard": lambda: to_tensorboard(model, folder),
        "mlflow": lambda: to_mlflow(model, folder, "x"),
        "wandb": lambda: to_wandb(model, folder, "x"),
    }[name]
    with pytest.raises(ConfigError, match=rf"{name} is not installed; pip .*metarobust\[{name}\]"):
        call()


def test_a_package_that_is_there_and_broken_is_not_called_absent(monkeypatch, tmp_path):
    (tmp_path / "lame.py").write_text("import surely_not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        required("lame", "lame")


def test_a_tracker_out_of_reach_is_one_line_that_excuses_the_run():
    words = "mlflow: ConnectionError: no route; the run is saved and unchanged"
    with pytest.raises(MetarobustError, match=words), plain_refusals("mlflow"):
        raise ConnectionError("no route\nand a page of details")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "mlflow", "--out", "x"), "--out is for"),
        (("--to", "huggingface", "--project", "x"), "--project is for"),
        (("--to", "aim"), "is not one of"),
    ],
)
def test_options_that_mean_nothing_are_refused(arguments, words):
    done = CliRunner().invoke(export, ["run", *arguments])
    assert done.exit_code == 2
    assert words in done.output
    assert set(PACKAGES) <= {*FOLDERS, *SERVERS}


def test_neither_the_package_nor_its_help_imports_a_tracker():
    code = (
        "import json, sys, metarobust, click.testing, metarobust.cli.main as m\n"
        "click.testing.CliRunner().invoke(m.cli, ['export', '--help'])\n"
        "import metarobust.report.export.record, metarobust.report.export.mlflow\n"
        "import metarobust.report.export.tensorboard, metarobust.report.export.wandb\n"
        "print(json.dumps([n for n in sys.modules if '.' not in n]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {*PACKAGES, "torch", "tensorflow", "huggingface_hub"}
