"""Refuses every layer, with a message of several lines."""

from __future__ import annotations

from adapters.answers import framework_call
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]

MESSAGE = 'this layer cannot be made:\n  <axis> is not supported & never was\n\n[hint] "give up"'


class Program:
    """The framework itself raises."""

    def __init__(self, layer):  # noqa: ARG002 - whatever it is
        with framework_call():
            raise ValueError(MESSAGE)
