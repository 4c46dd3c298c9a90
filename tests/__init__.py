"""The suite's tests of itself."""

from __future__ import annotations
