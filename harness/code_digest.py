"""What stands for all the code and data of this project that a verdict depends on."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "harness", "reference", "reports", "suites")
ENDINGS = {".py", ".toml", ".json", ".j2"}
MADE_FROM_VERDICTS = {"compatibility.json"}


@cache
def code_digest() -> str:
    """Return a digest of the project's files, of its Python and of its NumPy.

    What was worked out from the same answers under the same digest is the same.
    """
    found = hashlib.sha256(f"{platform.python_version()} {np.__version__}".encode())
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.name in MADE_FROM_VERDICTS:
                continue
            if path.suffix in ENDINGS and "__pycache__" not in path.parts:
                contents = hashlib.sha256(path.read_bytes()).hexdigest()
                found.update(f"{path.relative_to(ROOT)} {contents}\n".encode())
    return found.hexdigest()
