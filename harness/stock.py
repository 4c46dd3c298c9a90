"""The environments made here: what they are, what they take, and removing them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.cache import cache_root
from harness.complaint import Complaint
from harness.environments import bytes_in, environments_root, record_of
from harness.implementations import known

UNUSED_FOR_DAYS = 30
SECONDS_A_DAY = 86400
PARTIAL = ".partial-"


@dataclass(frozen=True)
class Stocked:
    """One environment: its folder, what is remembered of it, and when it was used last.

    `size` is in bytes, those shared with uv's cache included.
    """

    home: Path
    record: dict[str, Any]
    used: float
    size: int

    @property
    def name(self) -> str:
        """Return the name of the folder, which tells it from every other."""
        return self.home.name

    def as_entry(self) -> dict[str, Any]:
        """Return it as an entry of a list."""
        used = datetime.fromtimestamp(self.used, UTC).strftime("%Y-%m-%d")
        return {
            "name": self.name,
            "python": self.record.get("python"),
            "as_of": self.record.get("as_of"),
            "stand_ins": self.record.get("stand_ins", []),
            "bytes": self.size,
            "used": used,
            "folder": str(self.home),
        }


def stocked() -> list[Stocked]:
    """Return every environment that was made here, largest first."""
    root = environments_root()
    homes = [each for each in root.glob("*") if is_environment(each)] if root.is_dir() else []
    return sorted(map(seen, homes), key=lambda each: -each.size)


def seen(home: Path) -> Stocked:
    """Return one environment."""
    record = record_of(home)
    size = record.get("bytes")
    known_size = size if isinstance(size, int) else bytes_in(home)
    return Stocked(home, record, home.stat().st_mtime, known_size)


def is_environment(path: Path) -> bool:
    """Tell whether this is the folder of a finished environment."""
    return path.is_dir() and not path.name.startswith(".")


def prune(names: Sequence[str], *, everything: bool) -> Iterator[Stocked]:
    """Remove environments, and what installations that were killed left; yield each one removed.

    Those named; else all of them, or those that nothing used for a month. One that is just being
    made is left alone. Raises Complaint for a name there is not, or a folder that cannot go.
    """
    present = {each.name: each for each in stocked()}
    for name in names:
        known(name, present, "environment")
    before = time.time() - UNUSED_FOR_DAYS * SECONDS_A_DAY
    for each in present.values():
        if each.name in names or (not names and (everything or each.used < before)):
            remove(each.home)
            yield each
    sweep()
    if everything:
        shutil.rmtree(cache_root() / "resolutions", ignore_errors=True)


def remove(home: Path) -> None:
    """Remove one environment, out of sight first, so that half of one is never found."""
    try:
        with FileLock(f"{home}.lock", timeout=0):
            away = Path(tempfile.mkdtemp(prefix=f".{home.name}{PARTIAL}", dir=home.parent))
            home.rename(away / home.name)
            shutil.rmtree(away, ignore_errors=True)
    except Timeout:
        raise Complaint(f"{home.name} is just being made. Try again when it is done.") from None
    except OSError as error:
        raise Complaint(f"{home} cannot be removed: {error.strerror}.") from error


def sweep() -> None:
    """Remove what is left of installations that were killed; none is running that made them."""
    root = environments_root()
    if not root.is_dir():
        return
    try:
        with FileLock(root / "installing.lock", timeout=0):
            for leftover in root.glob(f".*{PARTIAL}*"):
                shutil.rmtree(leftover, ignore_errors=True)
    except Timeout:
        return
