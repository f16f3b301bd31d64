"""What an attacked episode looks like: images before and after, and what the learner said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metarobust.audit.evidence import CellEvidence
from metarobust.audit.kinds import Kind
from metarobust.audit.scores import CellScores
from metarobust.report.headline import PHRASES, worst
from metarobust.report.rows import Row
from metarobust.report.text import percent, plain

Image = npt.NDArray[np.uint8]

LARGEST_SIDE = 64
MOST_PICTURES = 8
MOST_CLASSES = 8
RISE = np.array([213, 94, 0], np.float32)
FALL = np.array([0, 114, 178], np.float32)


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of an episode, uint8 [H, W, 3].

    Attributes:
        clean: the image as drawn from the data set.
        attacked: the image the learner saw.
        change: the magnified difference, or None if the image was not changed.
    """

    clean: Image
    attacked: Image
    change: Image | None


@dataclass(frozen=True)
class Answer:
    """What a learner said of a query: a class, its confidence in [0, 1], and whether it is true.

    A learner whose logits are not finite said `nothing`, and its confidence is None.
    """

    said: str
    confidence: float | None
    correct: bool


@dataclass(frozen=True, eq=False)
class SupportTile:
    """A support image with the label the learner was given and the true one."""

    tile: Tile
    given: str
    true: str


@dataclass(frozen=True, eq=False)
class QueryTile:
    """A query with its true class and the learner's answers before and after the attack."""

    tile: Tile
    true: str
    before: Answer | None
    after: Answer


@dataclass(frozen=True, eq=False)
class EpisodePicture:
    """One attacked episode: its first images of every class, not chosen for effect.

    Attributes:
        name: file name stem of its figure.
        kind: the kind of threat.
        learner: the learner's label.
        threat: the threat's label.
        recipe: the recipe's name.
        budget: what the threat could do, in words.
        status: the verdict of the cell.
        classes: letter and name of the episode's classes; empty if the data set names none.
        support: some of the support images.
        queries: some of the queries.
        legend: how to read the changes shown, empty if no image changed.
        sentence: what it did to all queries of the episode.
        alt: the picture in words.
    """

    name: str
    kind: Kind
    learner: str
    threat: str
    recipe: str
    budget: str
    status: str
    classes: tuple[str, ...]
    support: tuple[SupportTile, ...]
    queries: tuple[QueryTile, ...]
    legend: str
    sentence: str
    alt: str


def build_pictures(rows: Sequence[Row], scored: Sequence[CellScores]) -> tuple[EpisodePicture, ...]:
    """The worst query and support attack of each learner, and one corruption and label error."""
    cells = {cell.evidence.key: cell.evidence for cell in scored}
    shares = {row.key: _answers_of(cells[row.key]) for row in rows}
    seen = [row for row in rows if shares[row.key] is not None and _has_images(cells[row.key])]
    learners = list(dict.fromkeys(row.learner for row in rows))
    wanted: list[tuple[Kind, str]] = [
        (kind, learner) for kind in ("query", "support", "both") for learner in learners
    ]
    wanted += [(kind, learner) for kind in ("corruption", "labels") for learner in learners[:1]]
    pictures: list[EpisodePicture] = []
    for kind, learner in wanted:
        row = worst(row for row in seen if (row.kind, row.learner) == (kind, learner))
        if row is not None and len(pictures) < MOST_PICTURES:
            clean = next((r for r in rows if (r.kind, r.learner) == ("clean", learner)), None)
            before = None if clean is None else shares[clean.key]
            after = shares[row.key]
            name = f"episode-{len(pictures) + 1:02d}"
            if after is not None:
                pictures.append(_picture(name, row, cells[row.key], before, after))
    return tuple(pictures)


def _has_images(cell: CellEvidence) -> bool:
    query = cell.picture.get("query")
    return query is not None and query.ndim == 4 and query.shape[1] in (1, 3)


def _answers_of(cell: CellEvidence) -> npt.NDArray[np.float64] | None:
    """Probabilities [Q, N] of the episode in the picture, which is episode 0 of its stream."""
    where = np.flatnonzero(cell.arrays.get("number", np.empty(0)) == 0)
    if len(where) == 0:
        return None
    logits = cell.arrays["logits"][where[0]].astype(np.float64)
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        shares: npt.NDArray[np.float64] = powers / powers.sum(-1, keepdims=True)
    return shares


def _picture(
    name: str,
    row: Row,
    cell: CellEvidence,
    before: npt.NDArray[np.float64] | None,
    after: npt.NDArray[np.float64],
) -> EpisodePicture:
    found = cell.picture
    first = int(np.flatnonzero(cell.arrays["number"] == 0)[0])
    truth, class_ids = cell.arrays["labels"][first], cell.arrays["class_ids"][first]
    largest = max(
        float(np.abs(found[part] - found[f"{part}_clean"]).max(initial=0.0))
        for part in ("support", "query")
    )
    factor = 1 / largest if largest > 0 else None
    letters = [_letter(index) for index in range(len(class_ids))]
    given, true = found["support_y"], found["support_true"]
    support = [
        SupportTile(_tile(found, "support", i, factor), letters[given[i]], letters[true[i]])
        for i in _first_of_each(true, 2 if row.kind == "labels" else 1)
    ]
    query_changed = bool(np.any(found["query"] != found["query_clean"]))
    queries = [
        QueryTile(
            _tile(found, "query", i, factor),
            letters[truth[i]],
            None if before is None else _answer(before[i], int(truth[i]), letters),
            _answer(after[i], int(truth[i]), letters),
        )
        for i in _first_of_each(truth, 1 if query_changed else 2)
    ]
    words = _in_words(before, after, truth)
    alt = f"{row.learner} under {row.threat}: {PHRASES[row.kind]}. {words}"
    return EpisodePicture(
        name=name,
        kind=row.kind,
        learner=row.learner,
        threat=row.threat,
        recipe=row.name,
        budget=row.budget.text,
        status=row.status,
        classes=_class_names(letters, cell.description),
        support=tuple(support),
        queries=tuple(queries),
        legend=_legend(factor, grey=found["query"].shape[1] == 1),
        sentence=words,
        alt=alt,
    )


def _first_of_each(labels: npt.NDArray[np.int64], count: int) -> list[int]:
    """Positions of the first images of every class, class by class."""
    classes = np.unique(labels)[:MOST_CLASSES]
    return [int(i) for label in classes for i in np.flatnonzero(labels == label)[:count]]


def _letter(index: int) -> str:
    """A, B, ... Z, A1, B1, ...: the classes of an episode, which change with every episode."""
    return chr(ord("A") + index % 26) + (str(index // 26) if index >= 26 else "")


def _answer(shares: npt.NDArray[np.float64], truth: int, letters: Sequence[str]) -> Answer:
    if not np.isfinite(shares).all():
        return Answer("nothing", None, False)
    said = int(shares.argmax())
    return Answer(letters[said], float(shares[said]), said == truth)


def _in_words(
    before: npt.NDArray[np.float64] | None,
    after: npt.NDArray[np.float64],
    truth: npt.NDArray[np.int64],
) -> str:
    def right(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        hits: npt.NDArray[np.bool_] = (shares.argmax(-1) == truth) & np.isfinite(shares).all(-1)
        return hits

    start = "" if before is None else f"{right(before).sum()} before, "
    words = f"Right answers to {len(truth)} queries: {start}{right(after).sum()} after."
    stated = after.max(-1)[~right(after)]
    if stated.size and np.isfinite(stated).all():
        words += f" Its wrong answers came with {percent(float(stated.mean()), 0)} confidence."
    return words


def _legend(factor: float | None, *, grey: bool) -> str:
    if factor is None:
        return ""
    colours = "orange is lighter, blue is darker" if grey else "grey is no change"
    size = f"magnified {factor:.3g} times" if factor >= 1.05 else "in full"
    return f"Change {size}: {colours}."


def _class_names(letters: Sequence[str], about: Mapping[str, Any]) -> tuple[str, ...]:
    """The first episode's classes by letter, where the data set's description names them."""
    names = about.get("dataset", {}).get("picture_classes") or ()
    if len(names) != len(letters):
        return ()
    return tuple(f"{a}: {plain(name, 60)}" for a, name in zip(letters, names, strict=True))


def _tile(
    found: Mapping[str, npt.NDArray[Any]], part: str, index: int, factor: float | None
) -> Tile:
    clean, seen = found[f"{part}_clean"][index], found[part][index]
    change = None if factor is None or np.array_equal(clean, seen) else (seen - clean) * factor
    return Tile(_pixels(clean), _pixels(seen), None if change is None else _signed(change))


def _shrunk(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """[C, H, W] to [H', W', C] with no side above `LARGEST_SIDE`, by averaging whole blocks."""
    channels, height, width = image.shape
    step = -(-max(height, width) // LARGEST_SIDE)
    rows, columns = height // step, width // step
    cut = image[:, : rows * step, : columns * step].astype(np.float32)
    blocks = cut.reshape(channels, rows, step, columns, step).mean((2, 4))
    shrunk: npt.NDArray[np.float32] = blocks.transpose(1, 2, 0)
    return shrunk


def _pixels(image: npt.NDArray[Any]) -> Image:
    values = np.clip(_shrunk(np.nan_to_num(image)), 0, 1)
    pixels: Image = np.broadcast_to(np.rint(255 * values), (*values.shape[:2], 3)).astype(np.uint8)
    return pixels


def _signed(change: npt.NDArray[Any]) -> Image:
    """A change in [-1, 1]: blue where darker, orange where lighter; colour images around grey."""
    values = np.clip(_shrunk(np.nan_to_num(change)), -1, 1)
    if values.shape[2] == 3:
        shown = 127.5 * (values + 1)
    else:
        shown = 255 + np.abs(values) * (np.where(values > 0, RISE, FALL) - 255)
    signed: Image = np.rint(shown).astype(np.uint8)
    return signed
