"""A search for good options of a meta-training, on meta-val."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, model_validator

from metarobust.config.fields import Count, CountFromZero, Flag, Ratio, SafeName, Text, shown
from metarobust.config.model import Model
from metarobust.config.overrides import parse_override


class RangeConfig(Model):
    """Values between two ends, both included.

    Attributes:
        low: the smallest.
        high: the largest.
        log: whether equal ratios are equally likely, instead of equal differences.
        integer: whether only whole numbers are tried.
    """

    low: Ratio
    high: Ratio
    log: Flag = False
    integer: Flag = False

    @model_validator(mode="after")
    def _has_an_inside(self) -> "RangeConfig":
        if self.low >= self.high:
            raise ValueError(f"expected low < high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range is above 0, got low {self.low:g}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"expected whole ends, got {self.low:g} and {self.high:g}")
        return self


Choices = Annotated[tuple[bool | int | float | str, ...], Field(min_length=2)]


def _are_paths(values: dict[str, Any]) -> dict[str, Any]:
    for path in values:
        parse_override(f"{path}=0")
        if path.partition(".")[0] in ("name", "seed"):
            raise ValueError(f"{shown(path)} is the search's own; every trial gets its name")
    return values


class TuneConfig(Model):
    """A search over options of a training.

    Attributes:
        name: of the run folder; trial K is trained in its folder `trial-K`.
        train: the training: a bundled name or a YAML file.
        set: options that every trial gets, by dotted path, as after `--set`: a shorter training,
            say.
        search: options that are searched, by dotted path: a list of values, or a range.
        trials: how many trainings.
        start: trials drawn at random before the search learns from them.
        seed: of the search; the trainings keep their own.
    """

    name: SafeName
    train: Text
    set: Annotated[dict[str, JsonValue], AfterValidator(_are_paths)] = Field(default_factory=dict)
    search: Annotated[
        dict[str, RangeConfig | Choices], Field(min_length=1), AfterValidator(_are_paths)
    ]
    trials: Count
    start: Count = 5
    seed: CountFromZero = 0

    @model_validator(mode="after")
    def _searches_what_is_free(self) -> "TuneConfig":
        if both := sorted(self.set.keys() & self.search.keys()):
            raise ValueError(f"both set and searched: {', '.join(both)}")
        return self
