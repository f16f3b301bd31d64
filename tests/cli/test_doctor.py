"""`metarobust doctor` finds what is broken, and says the rest is sound."""

import json

import pytest

from metarobust.cli import doctor


@pytest.fixture
def healthy(monkeypatch):
    monkeypatch.setattr(doctor, "_conflicts", lambda: "none")


def results(cli):
    ended = cli("doctor", "--json")
    assert ended.err == ""
    return ended.code, {row["check"]: row for row in json.loads(ended.out)}


def test_a_sound_installation(cli, healthy):
    code, found = results(cli)
    assert [name for name, row in found.items() if not row["ok"]] == []
    assert code == 0
    assert "torch 2" in found["versions"]["detail"]
    assert "usable cores" in found["device"]["detail"]
    assert "load and match their digests" in found["zoo"]["detail"]
    table = cli("doctor")
    assert table.code == 0
    assert "PROBLEM" not in table.out


def test_an_empty_zoo_and_missing_files_are_problems(cli, healthy, monkeypatch, tmp_path):
    monkeypatch.setattr("metarobust.core.bundled.bundled", lambda kind: tmp_path / kind)
    code, found = results(cli)
    assert code == 1
    assert found["zoo"] == {
        "check": "zoo",
        "ok": False,
        "detail": "the zoo is empty; reinstall metarobust",
    }
    assert not found["bundled files"]["ok"]
    assert "reinstall metarobust" in found["bundled files"]["detail"]
    assert found["versions"]["ok"]


def test_a_cache_that_cannot_be_written_is_a_problem(cli, healthy, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("METAROBUST_CACHE", str(tmp_path / "file" / "cache"))
    code, found = results(cli)
    assert code == 1
    assert "Not a directory" in found["cache"]["detail"]


def test_a_torchvision_that_does_not_import_is_a_problem(cli, monkeypatch, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise ImportError('operator does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "torchvision", raising=False)
    code, found = results(cli)
    assert code == 1
    assert "pip uninstall torchvision" in found["conflicts"]["detail"]
