"""How items are spread over xdist workers: all of one implementation to the same worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer


class ByImplementation(LoadScopeScheduling):
    """Keep an implementation's items together, and otherwise those of a test module."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, rest = nodeid.partition("::")
        _, bracket, parameters = rest.partition("[")
        if path.endswith("test_conformance.py") and bracket:
            return parameters.partition("/")[0]
        return path


def scheduler(config: pytest.Config, log: Producer) -> ByImplementation:
    """Return the scheduler of a run."""
    return ByImplementation(config, log)
