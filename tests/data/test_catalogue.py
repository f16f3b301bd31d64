import inspect
import subprocess
import sys

import pytest

from metarobust.data.catalogue import DATASETS


def test_the_catalogue_lists_every_loader():
    assert set(DATASETS) >= {"digits", "folder", "glyphs", "idx", "omniglot"}


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_option_of_a_loader_has_a_name_and_a_line_of_help(name):
    loader = DATASETS[name]
    options = inspect.signature(loader).parameters.values()
    assert all(option.kind is inspect.Parameter.KEYWORD_ONLY for option in options)
    text = inspect.getdoc(loader)
    assert text
    assert all(f"{option.name}:" in text for option in options)


def test_the_package_imports_nothing_heavy():
    script = (
        "import sys, metarobust.data; print(sorted({'torch', 'PIL', 'numpy'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
