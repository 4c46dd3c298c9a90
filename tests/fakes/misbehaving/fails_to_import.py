"""Raises ImportError when imported, as a framework with a missing library does."""

from __future__ import annotations

message = "libframework.so.12: cannot open shared object file"
raise ImportError(message)
