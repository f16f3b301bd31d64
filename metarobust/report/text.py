"""Words and numbers as people read them: harmless names, percentages, budgets and lists."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}


def plain(text: object, limit: int = 200) -> str:
    r"""One line of text that no output format can choke on; what is left out is shown as `…`.

    Control, bidirectional-override and unpaired surrogate characters become U+FFFD, line breaks
    become spaces. Escaping for HTML, LaTeX or CSV is the format's business and comes later.

    >>> plain("a\tb\n c")
    'a b c'
    """
    words = re.sub(r"\s+", " ", str(text)).strip()
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(c) in {"Cc", "Cs"} or unicodedata.bidirectional(c) in _BIDI
        else c
        for c in words[:limit]
    )
    return shown if len(words) <= limit else shown[: limit - 1] + "…"


_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def plain_tree(value: Any) -> Any:
    """A JSON-like value with every text in it made `plain`, and every number finite or None."""
    if isinstance(value, str):
        return plain(value, limit=2000)
    if isinstance(value, Mapping):
        return {plain(key): plain_tree(entry) for key, entry in value.items()}
    if isinstance(value, Sequence):
        return [plain_tree(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage.

    >>> percent(0.4213)
    '42.1%'
    """
    return f"{100 * value:.{digits}f}%"


def of_hundred(share: float) -> str:
    """A share as a count out of a hundred, which needs no knowledge of percentages.

    >>> of_hundred(0.318)
    '32 of 100'
    """
    return f"{100 * share:.0f} of 100"


def budget_size(norm: str | None, eps: float) -> str:
    """A perturbation bound: for linf as a fraction of 255 and of 1, else as a plain length.

    >>> budget_size("linf", 8 / 255)
    'L∞ ε = 8/255 (0.03137)'
    >>> budget_size("l2", 2.0)
    'L2 ε = 2'
    """
    shown = NORMS.get(norm or "", norm or "")
    size = f"{eps:.4g}" if norm != "linf" else f"{255 * eps:.4g}/255 ({eps:.4g})"
    return f"{shown} ε = {size}".strip()


def listed(words: Sequence[str]) -> str:
    """An English list.

    >>> listed(["noise", "blur", "contrast"])
    'noise, blur and contrast'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


def slug(text: str) -> str:
    """A file-name-safe word of lower-case ASCII letters, digits and hyphens; never empty.

    >>> slug("corruption:gaussian noise")
    'corruption-gaussian-noise'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-") or "x"
