"""Progress with an ETA on standard error: a bar at a terminal, plain lines in a pipe."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

LINE_EVERY_SECONDS = 15.0


class Progress:
    """A bar where standard error is a terminal; otherwise a line every 15 seconds and at the end.

    Use as a context manager.

    Args:
        total: how many steps there are in all.
        done: how many were done before this process.
        unit: what one step is called.
        title: what is being done.
    """

    def __init__(self, total: int, *, done: int = 0, unit: str, title: str) -> None:
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=unit,
            desc=title,
            file=sys.stderr,
            dynamic_ncols=True,
            disable=not self._terminal,
            smoothing=0.1,
        )
        self._total, self._done, self._first = total, done, done
        self._unit, self._title = unit, title
        self._began = self._told = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def step(self, note: str = "") -> None:
        """One step is done; `note` is shown beside the bar."""
        self.reach(self._done + 1, note)

    def reach(self, done: int, note: str = "") -> None:
        """`done` steps are done in all; the first call may jump ahead, as after a resumption."""
        moment = time.monotonic()
        if done > self._done + 1:
            self._first, self._began = done, moment
        self._done = done
        if self._terminal:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._bar.n)
        elif moment - self._told >= LINE_EVERY_SECONDS or done == self._total:
            self._told = moment
            each = (moment - self._began) / max(done - self._first, 1)
            left = each * (self._total - done)
            line = f"{self._title}: {done}/{self._total} {self._unit}s, {left:.0f} s left"
            self.say(f"{line}  {note}".rstrip())

    def note(self, text: str) -> None:
        """What is being done within the step under way, beside the bar."""
        if self._terminal:
            self._bar.set_postfix_str(text)

    def say(self, text: str) -> None:
        """A line above the bar."""
        tqdm.write(text, file=sys.stderr)
