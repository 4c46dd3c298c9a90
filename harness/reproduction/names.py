"""Names of a script's variables, each given once."""

from __future__ import annotations

import builtins
import keyword
import re

TAKEN = {*dir(builtins), *keyword.kwlist, "print", "exec"}


class Names:
    """The names given so far."""

    def __init__(self, reserved: set[str]) -> None:
        self.given = TAKEN | reserved

    def new(self, wish: str) -> str:
        """Return the wished name, or the like where that is taken."""
        stem = re.sub(r"\W+", "_", wish).strip("_") or "value"
        stem = stem if stem[0].isalpha() else f"value_{stem}"
        name, count = stem, 1
        while name in self.given:
            count += 1
            name = f"{stem}_{count}"
        self.given.add(name)
        return name
