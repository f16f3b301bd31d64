"""The one family of errors that a user meets without a traceback."""

import difflib
from collections.abc import Iterable


class MetarobustError(Exception):
    """A mistake the user can mend: says what was expected, what came, and what to do."""


class ConfigError(MetarobustError):
    """A configuration, an override or an argument is not usable."""


class DivergenceError(ConfigError):
    """A training whose loss is no longer finite."""


class DataError(MetarobustError):
    """A data set is missing, damaged, hostile, or too small for the protocol."""


class CheckpointError(MetarobustError):
    """A checkpoint is damaged, unsafe, or does not fit the learner."""


class StoreError(MetarobustError):
    """A run folder is damaged, locked, or belongs to another experiment."""


class AttackError(MetarobustError):
    """An attack broke its contract or cannot run on this learner."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of an error about an unknown name: near names, else all of them.

    >>> did_you_mean("protonets", ["maml", "protonet"])
    "did you mean 'protonet'?"
    >>> did_you_mean("zzz", ["maml", "protonet"])
    'known: maml, protonet'
    """
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}?"
    return f"known: {', '.join(names) or 'none'}"
