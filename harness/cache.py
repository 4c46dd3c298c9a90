"""The folder in which everything is kept that can be made again."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_dir

DISTRIBUTION = "bnconform"


def cache_root() -> Path:
    """Return the folder: what ``BNCONFORM_CACHE`` says, else one in the user's cache folder."""
    root = os.environ.get("BNCONFORM_CACHE") or user_cache_dir(DISTRIBUTION, appauthor=False)
    return Path(root).expanduser().absolute()


def keep(value: object, file: Path) -> None:
    """Keep a JSON value, whole or not at all; what cannot be kept is worked out again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, suffix=".partial", encoding="utf-8", delete=False
        ) as partial:
            json.dump(value, partial)
        Path(partial.name).replace(file)
    except OSError:
        return
