"""Task functions that worker processes import by name."""

import os
import signal
import sys
import time
from pathlib import Path


class UnsendableError(Exception):
    """Pickles, and does not unpickle: its constructor wants two arguments."""

    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")


class Unsendable:
    """A value that pickles, and does not unpickle."""

    def __reduce__(self):
        return (int, ("not a number",))


def square(item):
    return item * item


def misbehave(item):
    """Log the start of a task, then do what its name says."""
    log, name = item
    with Path(log).open("a") as stream:
        stream.write(f"{name}\n")
    kind = name.split("-")[0]
    if kind == "raise":
        raise ValueError(f"cannot do {name}")
    if kind == "unsendable":
        raise UnsendableError(1, 2)
    if kind == "value":
        return Unsendable()
    if kind == "lambda":
        return lambda: 0
    if kind == "exit":
        sys.exit(7)
    if kind == "poison":
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "once" and Path(log).read_text().splitlines().count(name) == 1:
        os._exit(1)
    if kind == "sleep":
        time.sleep(60)
    time.sleep(0.02)
    return name.upper()


def torch_threads(_item):
    import torch

    return torch.get_num_threads()


def imported(module):
    return module in sys.modules


def set_up(value):
    os.environ["METAROBUST_TEST_SETUP"] = value


def read_set_up(_item):
    return os.environ.get("METAROBUST_TEST_SETUP")


def fail_to_set_up():
    raise RuntimeError("no device")


def process_id(_item):
    return os.getpid()
