"""Plug-ins: no configuration alone makes one run, and a broken one says how."""

import hashlib
import sys
from pathlib import Path

import pytest

from metarobust.assembly.build_threat import build_threat
from metarobust.assembly.plugins import engine_digest, load_plugin, plugin_digest
from metarobust.config.catalogue import load_recipe
from metarobust.config.recipe import Recipe
from metarobust.core.bundled import bundled
from metarobust.core.errors import ConfigError

EXAMPLE = bundled("attacks") / "examples"


@pytest.fixture
def write(tmp_path):
    """A function from Python text to a plug-in file, and its set of allowed files."""

    def make(text, name="plugin.py"):
        path = tmp_path / name
        path.write_text(text)
        return path, frozenset([str(path)])

    return make


def recipe(engine, **changes):
    budget = {"surface": "query", "knowledge": "black-box", "norm": "linf", "eps": 0.1}
    return Recipe(name="mine", summary="Mine.", engine=engine, **{**budget, **changes})


def test_nothing_runs_unless_the_command_line_names_the_file(write, tmp_path):
    path, _ = write(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass A: ...")
    other = tmp_path / "other.py"
    for allowed in (frozenset(), frozenset([str(other)]), frozenset([str(tmp_path)])):
        with pytest.raises(ConfigError) as caught:
            load_plugin(f"{path}:A", allowed)
        assert str(caught.value) == (
            f"the configuration asks to run code from {path}; if you trust it, pass "
            f"--allow-code {path}"
        )
    assert not (tmp_path / "ran").exists()


def test_an_allowed_file_may_be_named_in_any_way(write, tmp_path, monkeypatch):
    path, _ = write("class A: ...")
    monkeypatch.chdir(tmp_path)
    for allowed in ("plugin.py", "./plugin.py", str(path), "../" + tmp_path.name + "/plugin.py"):
        assert load_plugin(f"{path}:A", frozenset([allowed])).__name__ == "A"
    assert load_plugin("plugin.py:A", frozenset([str(path)])).__name__ == "A"


def test_a_file_runs_once_and_again_when_its_content_changed(write, tmp_path):
    log = tmp_path / "log"
    text = f"with open({str(log)!r}, 'a') as f: f.write('x')\nclass A:\n    version = {{}}\n"
    path, allowed = write(text.format(1))
    one, same = load_plugin(f"{path}:A", allowed), load_plugin(f"{path}:A", allowed)
    before = plugin_digest(f"{path}:A")
    write(text.format(2))  # as long as before, and within the same second
    changed = load_plugin(f"{path}:A", allowed)
    assert one is same
    assert (one.version, changed.version) == (1, 2)
    assert log.read_text() == "xx"
    assert plugin_digest(f"{path}:A") != before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "plugin.py"], "no bytecode beside"


def test_a_plug_in_called_like_a_package_shadows_nothing(write):
    path, allowed = write("class A: ...", "torch.py")
    torch = sys.modules["torch"]
    assert load_plugin(f"{path}:A", allowed).__module__.startswith("metarobust_plugin_")
    assert sys.modules["torch"] is torch


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class B: ...", "has no 'A'"),
        ("class A(", "SyntaxError: "),
        ("import no_such_package_at_all", "ModuleNotFoundError: No module named 'no_such"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("\0", "source code string cannot contain null bytes"),
    ],
)
def test_a_broken_plug_in_says_how(write, text, message):
    path, allowed = write(text)
    for _ in range(2):
        with pytest.raises(ConfigError, match=message) as caught:
            load_plugin(f"{path}:A", allowed)
        assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_says_so(tmp_path):
    path = tmp_path / "gone.py"
    with pytest.raises(ConfigError, match=r"gone\.py: cannot be read \(No such file or directory"):
        load_plugin(f"{path}:A", frozenset([str(path)]))


def test_what_is_not_a_plug_in_reference_is_refused():
    with pytest.raises(ConfigError, match=r"'os:system': expected a registered name or FILE\.py"):
        load_plugin("os:system", frozenset(["os"]))


def test_an_object_that_is_no_engine_is_refused_and_told_what_it_lacks(write):
    path, allowed = write("class A:\n    norms = ('linf',)\n    def draw(self): ...")
    message = "it lacks version, adversarial, differentiates, gradient_calls, maximise; see attacks"
    with pytest.raises(ConfigError, match=message):
        build_threat(recipe(f"{path}:A"), allowed_code=allowed)


def test_the_example_needs_permission_and_its_norm():
    found = load_recipe(str(EXAMPLE / "random-sign.yaml"))
    with pytest.raises(ConfigError, match=r"pass --allow-code .*random_sign\.py"):
        build_threat(found)
    allowed = frozenset([str(EXAMPLE / "random_sign.py")])
    assert type(build_threat(found, allowed_code=allowed).engine).__name__ == "RandomSign"
    euclidean = found.model_copy(update={"norm": "l2"})
    with pytest.raises(ConfigError, match="bounds linf, got norm l2"):
        build_threat(euclidean, allowed_code=allowed)


def test_the_example_takes_no_unknown_option():
    found = load_recipe(str(EXAMPLE / "random-sign.yaml"))
    wrong = found.model_copy(update={"options": {"corners": 3}})
    with pytest.raises(ConfigError, match="has no option 'corners'"):
        build_threat(wrong, allowed_code=frozenset([str(Path(EXAMPLE, "random_sign.py"))]))


class TestEntryPoints:
    """An installed package offers an engine by an entry point; its recipe needs no permission."""

    @pytest.fixture
    def _installed(self, tmp_path, monkeypatch):
        module = (EXAMPLE / "random_sign.py").read_text()
        (tmp_path / "their_attacks.py").write_text(module)
        self.offer(tmp_path, "their-attacks", "their-search", "pgd")
        monkeypatch.syspath_prepend(str(tmp_path))
        yield
        sys.modules.pop("their_attacks", None)

    def offer(self, folder, package, *names, module="their_attacks"):
        info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        points = "".join(f"{name} = {module}:RandomSign\n" for name in names)
        (info / "entry_points.txt").write_text(f"[metarobust.attacks]\n{points}")

    @pytest.mark.usefixtures("_installed")
    def test_it_is_found_by_its_name(self):
        threat = build_threat(recipe("their-search", steps=3))
        assert type(threat.engine).__name__ == "RandomSign"
        assert threat.versions()["RandomSign"] == 1

    @pytest.mark.usefixtures("_installed")
    def test_ours_cannot_be_replaced(self):
        assert type(build_threat(recipe("pgd", steps=3)).engine).__name__ == "PGD"

    @pytest.mark.usefixtures("_installed")
    def test_two_packages_that_mean_different_things_are_both_named(self, tmp_path):
        self.offer(tmp_path, "same-attacks", "their-search")
        build_threat(recipe("their-search", steps=3))
        self.offer(tmp_path, "other-attacks", "their-search", module="others")
        message = (
            r"several .* offer 'their-search' to metarobust\.attacks: others:RandomSign of "
            r"other-attacks 1\.0 and their_attacks:RandomSign of .*-attacks 1\.0; uninstall"
        )
        with pytest.raises(ConfigError, match=message):
            build_threat(recipe("their-search", steps=3))

    @pytest.mark.usefixtures("_installed")
    def test_its_code_is_known_by_the_content_of_its_file(self, tmp_path):
        build_threat(recipe("their-search", steps=3))
        before = engine_digest("their-search")
        assert before == hashlib.sha256((tmp_path / "their_attacks.py").read_bytes()).hexdigest()
        with (tmp_path / "their_attacks.py").open("a") as stream:
            stream.write("# edited\n")
        assert engine_digest("their-search") != before
        assert engine_digest("pgd") is None

    @pytest.mark.usefixtures("_installed")
    def test_a_package_that_does_not_import_is_one_message(self, tmp_path):
        (tmp_path / "their_attacks.py").write_text("import no_such_package_of_theirs")
        with pytest.raises(ConfigError, match=r"their_attacks:RandomSign: ModuleNotFoundError"):
            build_threat(recipe("their-search", steps=3))

    def test_without_the_package_the_name_is_unknown(self):
        with pytest.raises(ConfigError, match="unknown attack engine 'their-search'"):
            build_threat(recipe("their-search", steps=3))


def test_consent_reaches_the_engine_inside_a_universal_threat():
    file = str(EXAMPLE / "random_sign.py")
    found = load_recipe(str(EXAMPLE / "random-sign.yaml"))
    options = {"engine": f"{file}:RandomSign"}
    inside = found.model_copy(update={"engine": "universal", "options": options})
    with pytest.raises(ConfigError, match="asks to run code"):
        build_threat(inside)
    threat = build_threat(inside, allowed_code=frozenset([file]))
    assert type(threat.engine).__name__ == "RandomSign"
