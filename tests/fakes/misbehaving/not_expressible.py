"""Has no way to say any scenario."""

from __future__ import annotations

from adapters.answers import NotExpressible
from tests.fakes.argument_style import versions

__all__ = ["Program", "versions"]


class Program:
    """Declines before the framework is asked."""

    def __init__(self, layer):  # noqa: ARG002 - whatever it is
        reason = "This fake has no words for any layer."
        raise NotExpressible(reason)
