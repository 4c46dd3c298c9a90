"""Values of the results in the words the page shows them in."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

LONGEST_FRAGMENT = 24
MOST_NAMES = 3


def circumstances(when: dict[str, Any]) -> str:
    """Return in words where a declaration applies: ``{"rank": [2, 4]}`` is "rank 2 or 4"."""
    return ", ".join(_circumstance(key, value) for key, value in when.items())


def _circumstance(key: str, value: object) -> str:
    if isinstance(value, bool):
        return key if value else f"not {key}"
    if isinstance(value, list) and len(value) == 1:
        return _circumstance(key, value[0])
    return f"{key} " + (" or ".join(map(str, value)) if isinstance(value, list) else str(value))


def value_words(value: str | float) -> str:
    """Return a convention's value as a person writes it: 1e-05 is "0.00001", 1.0 is "1"."""
    return value if isinstance(value, str) else f"{Decimal(repr(value)).normalize():f}"


def quoted(value: str | float) -> str:
    """Return a convention's value as it is written in a sentence."""
    return f"‘{value}’" if isinstance(value, str) else value_words(value)


def headline_versions(versions: dict[str, str]) -> dict[str, str]:
    """Return the versions that identify an implementation; NumPy is everywhere and does not."""
    return {name: version for name, version in versions.items() if name != "numpy"} or versions


def address_words(address: str) -> str:
    """Return an address short enough for a table: the host and the last part of the path."""
    parts = urlsplit(address)
    before, _, last = parts.path.strip("/").rpartition("/")
    shown = (
        parts.netloc.removeprefix("www.") + ("/…" if before else "") + (f"/{last}" if last else "")
    )
    return shown + (
        f"#{parts.fragment}" if parts.fragment and len(parts.fragment) < LONGEST_FRAGMENT else ""
    )


def few(names: Sequence[str], between: str = ", ") -> str:
    """Return the first names of a list, and how many more there are."""
    more = len(names) - MOST_NAMES
    return between.join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
