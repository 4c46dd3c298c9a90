"""Small deterministic implementations of BatchNorm: three clean ones, and ones with known faults.

They are written from the paper and the frameworks' documentation, not from `reference`, so that a
mistake shared by a fake and the oracle takes two people to make.
"""

from __future__ import annotations
