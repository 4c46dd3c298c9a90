"""How it is run: environments, workers, judging and the command line."""

from __future__ import annotations
