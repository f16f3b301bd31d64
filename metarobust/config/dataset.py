"""Which data set, and the options of its loader."""

from typing import ClassVar

from metarobust.config.fields import Text
from metarobust.config.model import Open


class DatasetConfig(Open):
    """A registered data set; other keys are the options of its loader, such as `root`.

    Attributes:
        name: registered loader: `metarobust ls datasets` shows them.
    """

    short_form: ClassVar[str | None] = "name"

    name: Text
