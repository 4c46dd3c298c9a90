"""Where the time of a run goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PARTS = ("resolve", "install", "import", "run", "judge")


class Times:
    """Seconds spent on each part of a run, added up over its threads."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.lock = threading.Lock()

    @contextmanager
    def spent(self, part: str) -> Iterator[None]:
        """Count what is done inside to a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self.lock:
                self.seconds[part] += time.perf_counter() - started
