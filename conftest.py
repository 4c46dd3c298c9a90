"""The pytest front door: `pytest suites --implementation torch -k freezing -n auto`.

Every (implementation, scenario) is one test item. Collection touches no environment, so the ids are
the same in every xdist worker; items are scheduled by implementation, slowest import first, so that
each framework is imported once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import implementations
from harness.complaint import Complaint
from harness.implementations import Implementation
from harness.scheduling import scheduler
from suites.catalogue import SCENARIOS

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

STORE = "BNCONFORM_STORE"
IMPORTS = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses implementations."""
    parser.addoption(
        "--implementation",
        action="append",
        metavar="NAME",
        help="implementation to run the scenarios on; may be repeated (default: the default ones)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start counting framework imports, and refuse an unknown implementation."""
    config.stash[IMPORTS] = Counter()
    # Tests neither rest on what the user has stored nor add to it.
    if STORE not in os.environ:
        folder = tempfile.mkdtemp(prefix="bnconform-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ[STORE] = str(Path(folder) / "store.sqlite3")
    try:
        implementations.named(config.getoption("implementation") or ())
    except Complaint as complaint:
        raise pytest.UsageError(str(complaint)) from None


def chosen(config: pytest.Config) -> list[Implementation]:
    """Return the implementations of this run."""
    names = config.getoption("implementation")
    return implementations.named(names) if names else implementations.default()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item per implementation and scenario."""
    if {"implementation", "scenario"} <= set(metafunc.fixturenames):
        cells = [(each, scenario) for each in chosen(metafunc.config) for scenario in SCENARIOS]
        ids = [f"{each.name}/{scenario.suite}/{scenario.name}" for each, scenario in cells]
        metafunc.parametrize(("implementation", "scenario"), cells, ids=ids)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Hand all items of an implementation to one worker."""
    return scheduler(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the controlling process how often this one imported a framework."""
    if hasattr(session.config, "workeroutput"):
        counted = session.config.stash[IMPORTS]
        session.config.workeroutput["imports"] = dict(counted)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Add up the imports of an xdist worker that is done."""
    counted: dict[str, int] = getattr(node, "workeroutput", {}).get("imports", {})
    for name, count in counted.items():
        node.config.stash[IMPORTS][name] += count


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which frameworks were imported how often, and which had no environment."""
    counted = config.stash[IMPORTS]
    if counted:
        words = ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))
        terminalreporter.write_line(f"Framework imports: {words}")
    for each in chosen(config) if counted else ():
        if obstacle := each.obstacle():
            terminalreporter.write_line(f"UNAVAILABLE: {each.name}. {obstacle}", red=True)
