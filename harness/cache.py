"""The folder in which everything is kept that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir

DISTRIBUTION = "bnconform"


def cache_root() -> Path:
    """Return the folder: what ``BNCONFORM_CACHE`` says, else one in the user's cache folder."""
    root = os.environ.get("BNCONFORM_CACHE") or user_cache_dir(DISTRIBUTION, appauthor=False)
    return Path(root).expanduser().absolute()
