"""What a script says of itself: the question, who answered, what came out, what that rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import declarations
from harness.declarations import Declaration
from harness.implementations import Implementation
from harness.undeclared import banner
from harness.verdict import Cell, shown

WIDTH = 96
AT_START = ("DYLD_", "LD_", "MALLOC_", "PYTHON")
"""How environment variables begin that are read when a process starts."""
HOW_EXPECTED = (
    "What is expected of a step comes from an oracle written in NumPy, which follows the "
    "conventions cited below and starts from the state observed before the step: the first step "
    "that differs is where to look. `within` is the most by which rounding alone could make a "
    "number differ."
)
NOTHING_EXPECTED = "Nothing is known that would say what to expect, so nothing here is judged."


@dataclass(frozen=True)
class Subject:
    """What a script is about: a verdict on an implementation, and who answered (`header`)."""

    implementation: Implementation
    cell: Cell
    header: Mapping[str, Any]


def description(subject: Subject) -> str:
    """Return the text of a script's docstring."""
    cell, scenario = subject.cell, subject.cell.scenario
    told = [cell.reason, *(found.sentence for found in cell.explanations)]
    judged = [" ".join(told), HOW_EXPECTED] if cell.judgement else [NOTHING_EXPECTED]
    if (warning := banner(subject.implementation)) is not None:
        judged.append(warning)
    parts = [
        scenario.question,
        *map(paragraph, (seen_with(subject), *judged)),
        listed("The question is asked because of", scenario.sources),
        *map(declared, rests_on(subject)),
        how_made(subject),
    ]
    return "\n\n".join(parts).replace("\\", "\\\\").replace('"""', "'''") + "\n"


def seen_with(subject: Subject) -> str:
    """Return a sentence that says who answered."""
    header = subject.header
    versions = [f"{name} {version}" for name, version in header["versions"].items()]
    versions += [f"NumPy {header['numpy']}", f"CPython {header['python']}"]
    title = subject.implementation.title.rstrip(".")
    return f"{title}. Seen with {', '.join(versions)} on {header['platform']}."


def rests_on(subject: Subject) -> list[Declaration]:
    """Return what is declared of the conventions that the scenario settles and that mattered."""
    implementation, cell = subject.implementation, subject.cell
    read = cell.judgement.read if cell.judgement else frozenset()
    axes = {*cell.scenario.settles, *(found.axis for found in cell.explanations)} & read
    scenario = cell.scenario
    context = declarations.context_of(scenario, implementation.execution, implementation.device)
    entries = implementation.in_force.entries
    return [each for each in entries if each.axis in axes and each.holds(context)]


def declared(entry: Declaration) -> str:
    """Return a declared convention with its citations."""
    note = [f"({entry.note})"] if entry.note else []
    return listed(f"Expected, because {entry.axis} is {shown(entry.value)}", [*note, *entry.cite])


def how_made(subject: Subject) -> str:
    """Return how to have the script written again, and how to run it where that needs saying."""
    adapter = Path(subject.implementation.adapter)
    name = adapter.name if adapter.suffix == ".py" else subject.implementation.name
    lines = [f"Written by: bnconform reproduce {subject.cell.scenario.name} {name}"]
    variables = subject.implementation.variables.items()
    early = [f"{each}={value}" for each, value in variables if each.startswith(AT_START)]
    if early:
        lines.append(f"Run it with: {' '.join(early)} python FILE")
    return "\n".join(lines)


def paragraph(text: str) -> str:
    """Return a text wrapped."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def listed(title: str, lines: Sequence[str]) -> str:
    """Return a titled list."""
    wrapped = [
        textwrap.fill(line, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
        for line in lines
    ]
    return "\n".join([f"{title}:", *(textwrap.indent(line, "    ") for line in wrapped)])
