"""The store of a run: one SQLite file that holds the evidence, and survives `kill -9`."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from metarobust.audit import runfile, schema
from metarobust.audit.evidence import CellEvidence
from metarobust.audit.payload import BlockEvidence, decode
from metarobust.core.errors import StoreError
from metarobust.core.jsonio import canonical_json


@dataclass(frozen=True)
class CellRow:
    """A planned cell.

    Attributes:
        key: digest of everything that decides the cell's numbers.
        position: place in the plan, from 0.
        expected: how many episodes the plan asks for.
        description: JSON-ready facts of the cell, as in `CellEvidence`.
    """

    key: str
    position: int
    expected: int
    description: Mapping[str, Any]


@dataclass(frozen=True)
class BlockRow:
    """A finished block of episodes of one cell.

    Attributes:
        key: digest of everything that decides the block's numbers.
        cell: key of its cell.
        start: number of its first episode.
        count: how many episodes it holds.
        seconds: wall time it took.
        payload: its evidence, as `payload.encode` wrote it.
    """

    key: str
    cell: str
    start: int
    count: int
    seconds: float
    payload: bytes


@dataclass(frozen=True)
class FailureRow:
    """A block that could not be finished.

    Attributes:
        key: the key that the block would have had.
        cell: key of its cell.
        start: number of its first episode.
        error: class of the error.
        message: what the error said.
        tries: how often the block was started before it was given up.
    """

    key: str
    cell: str
    start: int
    error: str
    message: str
    tries: int


class RunStore:
    """The evidence of one run: cells, finished blocks, failures and environments.

    Only the driving process writes, one transaction a block: whatever `put` has returned for is on
    disk. Nothing aggregated is stored, so nothing can be counted twice. Use it as a context
    manager, from `RunStore.open` to write or `RunStore.read` to read.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, resources: ExitStack) -> None:
        self.path = path
        self._connection = connection
        self._resources = resources

    @classmethod
    def open(cls, folder: Path, experiment: Mapping[str, Any], *, create: bool) -> "RunStore":
        """Open a run to write it, as the only driver; a run that exists is resumed.

        Args:
            folder: the run folder.
            experiment: JSON-ready; everything that makes two runs the same experiment.
            create: make the folder and the file if they are absent.

        Raises:
            StoreError: there is no run and `create` is false; another driver holds it; it belongs
                to another experiment (the parts that differ are named); or it is not a usable run.
        """
        with ExitStack() as stack:
            connection = stack.enter_context(runfile.writing(folder, create=create))
            store = cls(folder / schema.FILE, connection, stack)
            with store._transaction():
                schema.claim(connection, store.path, experiment)
            store._resources = stack.pop_all()
            return store

    @classmethod
    def read(cls, folder: Path) -> "RunStore":
        """Open a run to read it, also while a driver writes it; no file is created or changed.

        Raises:
            StoreError: there is no run, or the file is damaged, foreign or of a newer metarobust.
        """
        stack = ExitStack()
        connection = stack.enter_context(runfile.reading(folder))
        return cls(folder / schema.FILE, connection, stack)

    def __enter__(self) -> "RunStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, then let another driver in."""
        self._resources.close()

    def add_cells(self, rows: Iterable[CellRow]) -> None:
        """Say what is planned; a cell that is there already takes the new expectation.

        Raises:
            StoreError: another cell holds the position: the plan is not the one stored here.
        """
        with self._transaction():
            for row in rows:
                self._insert(
                    f"cell {row.key[:12]} at position {row.position}",
                    "cell VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                    "position = excluded.position, expected = excluded.expected, "
                    "description = excluded.description",
                    (row.key, row.position, row.expected, canonical_json(row.description)),
                )

    def set_environment(self, facts: Mapping[str, Any]) -> None:
        """Record where the run is made (JSON-ready); the same facts are recorded once."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO environment (facts) VALUES (?) ON CONFLICT DO NOTHING",
                (canonical_json(facts),),
            )

    def environments(self) -> list[dict[str, Any]]:
        """The environments that took part, the first one first."""
        rows = self._rows("SELECT facts FROM environment ORDER BY id")
        return [self._parsed(facts, "an environment") for (facts,) in rows]

    def experiment(self) -> dict[str, Any]:
        """The experiment that the run was created for."""
        rows = self._rows("SELECT experiment FROM audit")
        return self._parsed(rows[0][0] if rows else "", "the experiment")

    def finished(self) -> set[str]:
        """The keys of the blocks that need not be computed again."""
        return {key for (key,) in self._rows("SELECT key FROM block")}

    def put(self, row: BlockRow) -> None:
        """Store a finished block and forget its failures; a key that is there already is kept.

        Raises:
            StoreError: the cell is not planned, another block starts at the same episode, or the
                file cannot be written (disk full: what is stored stays).
        """
        sha256 = hashlib.sha256(row.payload).hexdigest()
        with self._transaction():
            self._insert(
                f"block {row.key[:12]} (cell {row.cell[:12]}, episode {row.start})",
                "block VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (row.key, row.cell, row.start, row.count, row.seconds, sha256, row.payload),
            )
            self._connection.execute("DELETE FROM failure WHERE key = ?", (row.key,))

    def fail(self, row: FailureRow) -> None:
        """Record that a block could not be finished, unless it was; the last failure is kept.

        Raises:
            StoreError: the cell is not planned, or the file cannot be written.
        """
        with self._transaction():
            self._insert(
                f"the failure of block {row.key[:12]} (cell {row.cell[:12]})",
                "failure SELECT ?, ?, ?, ?, ?, ? "
                "WHERE NOT EXISTS (SELECT 1 FROM block WHERE key = ?) "
                "ON CONFLICT (key) DO UPDATE SET "
                "error = excluded.error, message = excluded.message, tries = excluded.tries",
                (row.key, row.cell, row.start, row.error, row.message, row.tries, row.key),
            )

    def failures(self) -> list[FailureRow]:
        """The blocks that failed and were not mended, in plan and episode order."""
        rows = self._rows(
            "SELECT failure.* FROM failure JOIN cell ON cell.key = failure.cell "
            "ORDER BY cell.position, failure.start, failure.key"
        )
        return [FailureRow(*row) for row in rows]

    def cells(self) -> list[CellEvidence]:
        """The evidence of every planned cell, in plan order, with the blocks there are so far.

        Blocks beyond what is expected, of an earlier and longer plan, are kept and not shown.

        Raises:
            StoreError: a block's bytes changed since they were stored, or its episodes are not
                those of its row; the block is named.
        """
        with self._transaction("DEFERRED"):
            cells = self._rows("SELECT key, description, expected FROM cell ORDER BY position")
            failures = self.failures()
            return [
                self._assembled(
                    key, self._parsed(description, f"cell {key[:12]}"), expected, failures
                )
                for key, description, expected in cells
            ]

    def _assembled(
        self, key: str, description: dict[str, Any], expected: int, failures: list[FailureRow]
    ) -> CellEvidence:
        rows = self._rows(
            "SELECT key, start, count, sha256, payload FROM block "
            "WHERE cell = ? AND start < ? ORDER BY start",
            (key, expected),
        )
        blocks = [self._verified(*row) for row in rows]
        arrays = {}
        if blocks:
            try:
                arrays = {
                    name: np.concatenate([block.arrays[name] for block in blocks])
                    for name in blocks[0].arrays
                }
            except ValueError as problem:
                raise StoreError(
                    f"{self.path}: the blocks of cell {key[:12]} have different shapes ({problem})"
                ) from None
            if (np.diff(arrays["number"]) <= 0).any():
                raise StoreError(f"{self.path}: blocks of cell {key[:12]} share episodes")
        return CellEvidence(
            key=key,
            description=description,
            expected=expected,
            arrays=arrays,
            picture=dict(blocks[0].picture) if blocks else {},
            extras=dict(blocks[0].extras) if blocks else {},
            failures=tuple(
                f"block from episode {row.start}: {row.error}: {row.message} (tries: {row.tries})"
                for row in failures
                if row.cell == key and row.start < expected
            ),
        )

    def _verified(
        self, key: str, start: int, count: int, sha256: str, payload: bytes
    ) -> BlockEvidence:
        block = f"{self.path}: block {key[:12]} (episodes {start} to {start + count - 1})"
        if hashlib.sha256(payload).hexdigest() != sha256:
            raise StoreError(f"{block} is damaged: its bytes are not those that were stored")
        try:
            evidence = decode(payload)
        except StoreError as problem:
            raise StoreError(f"{block} cannot be used: {problem}") from None
        if not np.array_equal(evidence.arrays["number"], np.arange(start, start + count)):
            raise StoreError(f"{block} holds other episodes than its row says")
        return evidence

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        with runfile.plain_errors(self.path):
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise

    def _insert(self, what: str, statement: str, values: tuple[Any, ...]) -> None:
        try:
            self._connection.execute(f"INSERT INTO {statement}", values)
        except sqlite3.IntegrityError as problem:
            raise StoreError(
                f"{self.path}: {what} does not fit the plan stored here ({problem}); choose "
                "another run name"
            ) from None

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with runfile.plain_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    def _parsed(self, text: str, what: str) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads(text)
        except ValueError as problem:
            raise StoreError(f"{self.path}: the text of {what} is damaged ({problem})") from None
        return value
