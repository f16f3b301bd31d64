"""The grammar of a recipe's `engine`, and which budget fields each kind of engine has."""

import re
from typing import Literal, NamedTuple

from metarobust.config.fields import shown

_PATTERN = re.compile(
    r"(?P<name>[a-z][a-z0-9-]*)"
    r"|(?P<library>corruption|torchattacks|foolbox):(?P<member>[\w-]+)"
    r"|(?P<plugin>.+\.py:[A-Za-z_]\w*)",
    re.ASCII,
)

Family = Literal["noise", "attack", "poison", "labels", "corruption", "certificate"]

BUDGET_FIELDS = (
    "norm",
    "eps",
    "steps",
    "restarts",
    "step_size",
    "loss",
    "targets",
    "severity",
    "fraction",
    "shot_fraction",
    "class_fraction",
    "first_order",
)
"""The fields of a recipe that say how much a threat may do and spend."""

_SEARCH = {"steps", "restarts", "step_size"}
_OBJECTIVE = {"loss", "targets"}
_MASK = {"shot_fraction", "class_fraction"}


class EngineKind(NamedTuple):
    """What the configuration needs to know of an engine.

    Attributes:
        name: `pgd`, `label-noise`..., `corruption`, `torchattacks`, `foolbox`, or `plugin`.
        surfaces: where it can act.
        needs: budget fields that must be given.
        takes: further budget fields, on any surface.
        support: further budget fields where support images are changed.
        blind: it never looks at the learner.
        options: whether it has options.
        family: what a report files it under, where that does not follow from what it sees.
    """

    name: str
    surfaces: tuple[str, ...] = ("query", "support")
    needs: frozenset[str] = frozenset(("norm", "eps"))
    takes: frozenset[str] = frozenset(_SEARCH | _OBJECTIVE)
    support: frozenset[str] = frozenset(_MASK | {"first_order"})
    blind: bool = False
    options: bool = True
    family: Family | None = None

    def fields(self, surface: str) -> frozenset[str]:
        """The budget fields that mean something for this engine on a surface."""
        return self.needs | self.takes | (frozenset() if surface == "query" else self.support)


_NONE: frozenset[str] = frozenset()
_STEPPED = frozenset({"norm", "eps", "steps"})

_KINDS = {
    kind.name: kind
    for kind in (
        EngineKind("noise", takes=_NONE, support=frozenset(_MASK), blind=True),
        EngineKind(
            "label-noise",
            surfaces=("support",),
            needs=frozenset({"fraction"}),
            takes=_NONE,
            support=_NONE,
            blind=True,
            family="labels",
        ),
        EngineKind(
            "worst-labels",
            surfaces=("support",),
            needs=frozenset({"fraction"}),
            takes=_NONE,
            support=_NONE,
            options=False,
            family="labels",
        ),
        EngineKind(
            "outlier",
            surfaces=("support",),
            needs=frozenset({"fraction"}),
            takes=_NONE,
            support=_NONE,
            blind=True,
            family="poison",
        ),
        EngineKind(
            "natural",
            surfaces=("support",),
            needs=frozenset({"steps"}),
            takes=_NONE,
            support=_NONE,
            family="poison",
        ),
        EngineKind(
            "backdoor",
            surfaces=("support",),
            needs=frozenset({"fraction"}),
            takes=_NONE,
            support=_NONE,
            blind=True,
            family="poison",
        ),
        EngineKind("swap", surfaces=("support",), needs=_STEPPED, support=frozenset(_MASK)),
        EngineKind(
            "corruption",
            surfaces=("query", "support", "both"),
            needs=frozenset({"severity"}),
            takes=_NONE,
            support=_NONE,
            blind=True,
            family="corruption",
        ),
        *(
            EngineKind(
                library,
                surfaces=("query",),
                needs=_STEPPED,
                takes=frozenset(_SEARCH),
                support=_NONE,
            )
            for library in ("torchattacks", "foolbox")
        ),
        EngineKind("pgd", surfaces=("query", "support", "both"), needs=_STEPPED),
        EngineKind("mim", needs=_STEPPED, takes=frozenset({"step_size"} | _OBJECTIVE)),
        EngineKind("apgd", needs=_STEPPED, takes=frozenset({"restarts"} | _OBJECTIVE)),
        EngineKind("apgd-l1", needs=_STEPPED, takes=frozenset({"restarts"} | _OBJECTIVE)),
        EngineKind(
            "square",
            needs=_STEPPED,
            takes=frozenset({"restarts"} | _OBJECTIVE),
            support=frozenset(_MASK),
        ),
        EngineKind("transfer", surfaces=("query",), needs=_STEPPED),
        EngineKind("universal", surfaces=("query",), needs=_STEPPED),
        EngineKind("fmn", surfaces=("query",), needs=_STEPPED, takes=frozenset({"loss"})),
        EngineKind("rays", surfaces=("query",), needs=_STEPPED, takes=_NONE),
        EngineKind(
            "episode-autoattack",
            surfaces=("query",),
            needs=_STEPPED,
            takes=frozenset({"restarts"}),
        ),
        EngineKind(
            "smoothing",
            surfaces=("query",),
            needs=_NONE,
            takes=_NONE,
            support=_NONE,
            family="certificate",
        ),
        EngineKind("plugin"),
    )
}


def engine_kind(engine: str) -> EngineKind:
    """What an engine is, by its name in a recipe.

    >>> engine_kind("corruption:contrast").needs
    frozenset({'severity'})

    Raises:
        ValueError: the name has another form.
    """
    found = _PATTERN.fullmatch(engine)
    if found is None:
        raise ValueError(
            "expected an engine NAME, corruption:NAME, torchattacks:NAME, foolbox:NAME or "
            f"FILE.py:CLASS, got {shown(engine)}"
        )
    name = found["library"] or found["name"] or "plugin"
    return _KINDS.get(name, EngineKind(name))
