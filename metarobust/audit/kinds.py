"""The kinds of threat that a reader tells apart, whatever engines are behind them."""

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["clean", "noise", "corruption", "labels", "query", "support", "both", "certificate"]
_UNTARGETED: tuple[Kind, ...] = ("clean", "noise", "corruption", "labels", "certificate")


def kind_of(threat: Mapping[str, Any]) -> Kind:
    """The kind of a threat, from its facts `family` and `surface`.

    >>> kind_of({"family": "poison", "surface": "support"})
    'support'
    """
    family, surface = threat.get("family"), threat.get("surface")
    for kind in _UNTARGETED:
        if family == kind:
            return kind
    if surface == "both":
        return "both"
    return "support" if family == "poison" or surface == "support" else "query"
