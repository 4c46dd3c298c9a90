"""What we tell: the results file and the page made from it. Knows verdicts and traces only."""

from __future__ import annotations
