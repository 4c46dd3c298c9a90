"""Adapters named for what they do wrong; otherwise each is the argument-style fake.

Those that misbehave on a trigger do so only where the scenario's layer has one channel, so that
the same process can be seen to answer rightly before and after.
"""

from __future__ import annotations
