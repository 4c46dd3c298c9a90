"""Prints on one screen how far the reference and the suite are proven; run by `make proof`.

``python -m tests.proof`` ends with status 1 where anything fails, and says what. The tests
assert the same, part by part; of the fakes to be identified they ask some, and this all.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.table import Table

from reference.rounding import FORMATS
from tests.bound_trials import trials
from tests.fakes.held_out import HELD_OUT, UNNAMED
from tests.fakes.planted import FAULTS
from tests.faults_page import convicting_each, recorded
from tests.identifying import forced, mistakes, unexplained
from tests.separation import BOUNDS_APART, CLAIMS, greatest_separation
from tests.test_specification import CITED, CLAUSES, UNASKED

LAYERS = 100_000
SEED = 1
CHUNK = 8
MOST_LINES = 12


def identified(names):
    """Return what identification gets wrong about held-out fakes; empty lists where nothing."""
    return {name: mistakes(HELD_OUT[name]) for name in names}


def left_unnamed(names):
    """Return which behaviours without a name are reported as such, and forced into no value."""
    return {name: reported(name, UNNAMED[name]) for name in names}


def reported(name, fake):
    """Tell whether a behaviour without a name is reported in a quantity that it corrupts."""
    return bool(unexplained(fake) & fake.quantities) and not forced(name, fake)


def separations(indices):
    """Return by how many bounds claims of scenarios show."""
    return {
        f"{CLAIMS[index][0].name}/{CLAIMS[index][1]}": greatest_separation(*CLAIMS[index])
        for index in indices
    }


def bounds(dtype):
    """Return the trials of random layers in one format."""
    return trials(LAYERS, SEED, dtypes=(dtype,))


def chunks(names) -> Iterator[list]:
    """Yield a few names at a time."""
    names = list(names)
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]


def measured():
    """Return everything to be shown, worked out on all processors."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = {
            "bounds": [pool.submit(bounds, dtype) for dtype in FORMATS],
            "identified": [pool.submit(identified, part) for part in chunks(HELD_OUT)],
            "unnamed": [pool.submit(left_unnamed, part) for part in chunks(UNNAMED)],
            "caught": [pool.submit(convicting_each, part) for part in chunks(FAULTS)],
            "claims": [pool.submit(separations, part) for part in chunks(range(len(CLAIMS)))],
        }
        return {
            name: {key: value for each in futures for key, value in each.result().items()}
            for name, futures in parts.items()
        }


def lines(found):
    """Yield each statement: what it is about, whether it holds, in words, and what fails."""
    without = sorted(set(CLAUSES) - CITED - UNASKED)
    yield (
        "Clauses of SPEC.md",
        not without,
        f"{len(CITED)} of {len(CLAUSES)} have a scenario; {len(UNASKED)} say why not yet",
        without,
    )
    missed = [name for name, convicts in found["caught"].items() if not convicts]
    total = len(found["caught"])
    yield "Planted faults", not missed, f"{total - len(missed)} of {total} caught", missed
    told = recorded()
    changed = [name for name, convicts in found["caught"].items() if convicts != told.get(name)]
    text = f"{total - len(changed)} of {total} caught by whom docs/faults.md says"
    yield "Who caught them", not changed, text, changed
    outside = [
        f"{dtype}, {arithmetic}, {quantity}: {tally.outside}"
        for (dtype, arithmetic, quantity), tally in found["bounds"].items()
        if tally.outside
    ]
    results = sum(tally.results for tally in found["bounds"].values())
    count = sum(tally.outside for tally in found["bounds"].values())
    yield (
        "Correct results",
        not outside,
        f"{count} of {results:,} out of bound, from {LAYERS:,} random layers in each format",
        outside,
    )
    weak = [name for name, parts in found["claims"].items() if parts < BOUNDS_APART]
    name, parts = min(found["claims"].items(), key=lambda claim: claim[1])
    text = f"{len(weak)} of {len(found['claims'])} claims show by fewer than {BOUNDS_APART} bounds"
    yield "What scenarios settle", not weak, f"{text}; the least, {name}, by {parts:.3g}", weak
    wrong = [f"{name}: {text[0]}" for name, text in found["identified"].items() if text]
    right = Counter(
        len(HELD_OUT[name].conventions) for name, text in found["identified"].items() if not text
    )
    planted = Counter(len(HELD_OUT[name].conventions) for name in found["identified"])
    kinds = ", ".join(f"{right[size]} of {planted[size]} with {size}" for size in sorted(planted))
    yield "Identified", not wrong, f"{kinds} unusual conventions", wrong
    missed = [name for name, told in found["unnamed"].items() if not told]
    total = len(found["unnamed"])
    text = f"{total - len(missed)} of {total} behaviours that no convention knows are reported"
    yield "Without a name", not missed, text, missed


def table_of_bounds(report):
    """Return how much of each bound was used at most, and in the median, by format."""
    table = Table(
        title="Part of the bound used, greatest / median, where all arithmetic is in the format",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for heading in ("", *FORMATS):
        table.add_column(heading)
    quantities = dict.fromkeys(
        quantity for dtype, arithmetic, quantity in report if dtype == arithmetic
    )
    for quantity in quantities:
        cells = []
        for dtype in FORMATS:
            greatest, median = report[dtype, dtype, quantity].used()
            cells.append(f"{greatest:.2f} / {median:.3f}")
        table.add_row(quantity, *cells)
    return table


def main():
    """Print the proof; return the exit status."""
    console = Console(soft_wrap=True, highlight=False)
    found = measured()
    failed = False
    for title, holds, text, failing in lines(found):
        failed = failed or not holds
        mark = "[green]✓[/]" if holds else "[red]✗[/]"
        console.print(f"{mark} [bold]{title}[/]: {text}.")
        for each in failing[:MOST_LINES]:
            console.print(f"    [red]{each}[/]")
        if len(failing) > MOST_LINES:
            console.print(f"    … and {len(failing) - MOST_LINES} more")
    console.print(table_of_bounds(found["bounds"]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
