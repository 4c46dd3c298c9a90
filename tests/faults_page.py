"""Writes docs/faults.md: which scenarios convict each planted fault, and which alone does.

``python -m tests.faults_page`` keeps it in tests/fakes/convicted.json, too, in full. The tests
assert that much of it is true, and `make proof` that all is.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from suites.catalogue import SCENARIOS
from tests.asking import expressible, judged_unexplained, said
from tests.fakes.fault import CLEAN
from tests.fakes.planted import FAULTS
from tests.fakes.planted_deeper import LONG

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
RECORD = Path(__file__).parent / "fakes" / "convicted.json"
CONVICTIONS = {"differs", "refused", "should have refused"}
MOST_NAMED = 6
CHUNK = 8
STYLES = {
    "argument": "a layer that is told the mode with each call",
    "switch": "a layer that is switched between modes",
    "deferred": "a layer whose updates the user runs",
}
INTRODUCTION = """\
# Which scenario catches what

<!-- Written by `make faults`. -->

Three clean BatchNorm layers, written in NumPy without a line of the oracle's, are broken in one way
each, and the suite is asked about them. Nothing here is a framework: the page says how hard a wrong
BatchNorm finds it to pass. **{faults}** planted faults, **{alone}** of them caught by one scenario
alone, which is marked ◆. A scenario that catches none of them is kept only where it tells two
conventions apart.
"""


def put_to(name):
    """Return the scenarios put to a planted fault; the long runs only where they are needed."""
    return [
        scenario
        for scenario in expressible(FAULTS[name].style)
        if scenario.suite != "long-runs" or name in LONG
    ]


def convicting(name):
    """Return the names of the scenarios that convict a planted fault."""
    fault = FAULTS[name]
    return [
        scenario.name
        for scenario in put_to(name)
        if judged_unexplained(fault.style, scenario, said(fault, scenario)).verdict in CONVICTIONS
    ]


def recorded():
    """Return the names of the scenarios that convict each planted fault, as they were written."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def convicting_each(names):
    """Return who convicts each of some planted faults."""
    return {name: convicting(name) for name in names}


def page(caught):
    """Return the page; `caught` are the names of the convicting scenarios, by fault."""
    alone = Counter(names[0] for names in caught.values() if len(names) == 1)
    text = [INTRODUCTION.format(faults=len(caught), alone=alone.total())]
    for style in CLEAN:
        text.append(f"## {style.capitalize()}: {STYLES[style]}\n")
        text.append("| fault | what is wrong | caught by |\n|---|---|---|")
        for name, fault in FAULTS.items():
            if fault.style == style:
                text.append(f"| {name} | {fault.sentence} | {named(caught[name])} |")
        text.append("")
    text.append("## Scenarios that alone catch a fault\n")
    text.append("| scenario | faults that it alone catches |\n|---|---|")
    for scenario in SCENARIOS:
        if scenario.name in alone:
            only = [name for name, names in caught.items() if names == [scenario.name]]
            text.append(f"| {scenario.name} | {', '.join(only)} |")
    return "\n".join(text) + "\n"


def named(names):
    """Return the first scenarios in words, and how many more there are."""
    if len(names) == 1:
        return f"◆ {names[0]}"
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def main():
    """Write the page and the record."""
    names = list(FAULTS)
    parts = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = [each for part in pool.map(convicting_each, parts) for each in part.items()]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(caught)}" for name, caught in found)
    RECORD.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    PAGE.write_text(page(dict(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
