"""Ends the whole process with status 3 when imported, without a word."""

from __future__ import annotations

import os

os._exit(3)
