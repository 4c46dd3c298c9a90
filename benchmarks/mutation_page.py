"""Writes ``docs/mutation.md`` from ``benchmarks/mutation.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "mutation.json"
PAGE = Path(__file__).parents[1] / "docs" / "mutation.md"
COLUMNS = (
    "target",
    "asked",
    "mutants",
    "killed",
    "timed out",
    "excluded",
    "survived",
    "score",
    "minutes",
)

Json = Mapping[str, Any]

INTRODUCTION = """\
# What mutants of the frameworks' own BatchNorm survive

Generated from `benchmarks/mutation.json`; do not edit. `python -m benchmarks.mutation` makes both.

[Cosmic Ray](https://cosmic-ray.readthedocs.io/) changes one place of a framework's own BatchNorm
at a time. No file of the framework is written: the mutated definitions are executed in the place
of the original ones, in a process forked for each mutant, which says the digest of the source it
executed. A mutant is killed when a scenario gets another verdict or another explanation than
without the mutation, when it crashes, or when it hangs. Changes in annotations are not made.
The score is the part killed of those that are neither equivalent to the original nor outside
BatchNorm's semantics; these are listed, with the reason, in `benchmarks/mutation_excluded.toml`.
"""


def page(results: Json) -> str:
    """Return the page for these results."""
    lines = [INTRODUCTION, *summary(results)]
    for name, result in results["targets"].items():
        lines += ["", f"## {name}", "", *about(result)]
    return "\n".join(lines) + "\n"


def summary(results: Json) -> Iterator[str]:
    """Yield the table of scores."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for name, result in results["targets"].items():
        for asked, outcome in result["outcomes"].items():
            counts = outcome["counts"]
            cells = [
                name,
                f"{outcome['questions']} {asked}",
                result["mutants"],
                counts["killed"],
                counts["timed out"],
                counts["excluded"],
                counts["survived"],
                f"{100 * outcome['score']:.1f} %",
                f"{outcome['seconds'] / 60:.0f}",
            ]
            yield f"| {' | '.join(str(cell) for cell in cells)} |"


def about(result: Json) -> Iterator[str]:
    """Yield what is said of one target: what was mutated and the survivors that remain."""
    versions = ", ".join(f"{each} {version}" for each, version in result["versions"].items())
    yield f"`{result['command']}` with {versions}."
    yield ""
    for module, definitions in result["modules"].items():
        yield f"- `{module}`: {', '.join(f'`{each}`' for each in definitions)}"
    if result["left_out"]:
        yield ""
        yield f"Left out: {result['left_out']}."
    yield ""
    survivors = result["outcomes"]["scenarios"]["survivors"]
    remaining = [each for each in survivors if "excluded" not in each]
    if not remaining:
        yield "No other mutant survives."
        return
    yield "Survivors that are not excluded:"
    yield ""
    yield from (f"- {described(each)}" for each in remaining)


def described(survivor: Json) -> str:
    """Return one survivor in a line of Markdown."""
    reached = "" if survivor["executed"] else " (no scenario executes it)"
    change = f"`{survivor['before']}` became `{survivor['after']}`"
    return f"`{survivor['function']}`, line {survivor['line']}: {change}{reached}"


def write(results: Json) -> None:
    """Write the results and the page."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")
