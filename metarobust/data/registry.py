"""The register of data-set loaders; `metarobust.data.catalogue` fills it."""

from collections.abc import Callable

from metarobust.core.registry import Registry
from metarobust.data.base import Dataset

DATASETS: Registry[Callable[..., Dataset]] = Registry("data set")
