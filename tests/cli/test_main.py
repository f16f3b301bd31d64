"""How a command ends: what a person can mend in one message, a bug with its traceback."""

import errno

import pytest

from metarobust import __version__
from metarobust.cli import catalogue
from metarobust.core.errors import ConfigError


@pytest.fixture
def failing(monkeypatch):
    """Makes `metarobust ls learners` fail with an exception."""

    def fail_with(problem):
        def fail(kind):
            raise problem

        monkeypatch.setattr(catalogue, "catalogue", fail)

    return fail_with


def test_our_own_errors_are_one_message_and_exit_2(cli, failing):
    failing(ConfigError("expected this, got that; do so"))
    assert cli("ls", "learners") == (2, "", "error: expected this, got that; do so\n")


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), EOFError()])
def test_an_interrupt_ends_with_130(cli, failing, problem):
    failing(problem)
    ended = cli("ls", "learners")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.strip() == "interrupted; the same command goes on from here"


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/y"),
            "error: /x/y: Permission denied; change its permissions, or write elsewhere with "
            "--out\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "error: No space left on device; make room and give the same command again, what was "
            "stored is kept\n",
        ),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/x"), "error: /x: Is a directory\n"),
    ],
)
def test_what_the_system_refuses_is_one_message(cli, failing, problem, message):
    failing(problem)
    assert cli("ls", "learners") == (2, "", message)


def test_a_bug_keeps_its_traceback(cli, failing):
    failing(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        cli("ls", "learners")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["audits"], "No such command 'audits'"),
        (["ls", "cats"], "'cats' is not one of 'attacks'"),
        (["audit", "--episodes", "0"], "0 is not in the range x>=1"),
        (["audit", "--episodes", "many"], "'many' is not a valid integer"),
        (["audit", "--workers", "-1"], "-1 is not in the range x>=1"),
        (["audit", "--no-such-option"], "No such option"),
        (["train"], "Missing argument 'CONFIG'"),
        (["data", "inspect"], "Missing argument 'NAME'"),
        (["data", "inspect", "digits", "--split", "all"], "'all' is not one of 'train'"),
    ],
)
def test_usage_errors_say_what_is_wrong_on_standard_error(cli, words, message):
    ended = cli(*words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_the_version(cli):
    assert cli("--version") == (0, f"metarobust, version {__version__}\n", "")


def test_help_names_the_verbs_and_the_exit_codes(cli):
    for words in (["--help"], ["-h"]):
        ended = cli(*words)
        assert ended.code == 0
        for word in ("audit", "train", "report", "ls", "show", "data", "doctor", "130 interrupted"):
            assert word in ended.out
    assert cli().err.startswith("Usage: metarobust [OPTIONS] COMMAND")


@pytest.mark.parametrize("verb", ["audit", "train", "report", "ls", "show", "data", "doctor"])
def test_every_verb_explains_itself(cli, verb):
    ended = cli(verb, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: metarobust {verb} ")
