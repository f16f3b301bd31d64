"""From the name and options of a data set to the data set, loaded once a process."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from metarobust.assembly.options import build
from metarobust.core.jsonio import canonical_json
from metarobust.data.base import Dataset
from metarobust.data.catalogue import DATASETS


def load_dataset(name: str, options: Mapping[str, Any]) -> Dataset:
    """The data set called `name`; the same name and options (JSON-ready) give the same object.

    Raises:
        ConfigError: the name or an option is unknown.
        DataError: the files are missing, damaged or hostile.
    """
    return _load(name, canonical_json(options))


@lru_cache(maxsize=4)
def _load(name: str, options: str) -> Dataset:
    dataset: Dataset = build(DATASETS[name], f"data set {name}", json.loads(options))
    return dataset
