"""What there is, for people and for programs: scenarios, implementations, conventions, clauses."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reference
from harness.implementations import Implementation, known, registered, untransformed
from harness.verdict import shown
from harness.words import block, layer_in_words, scenario_in_words
from reference.axis import Axis
from reference.conventions import AXES, REGISTRY
from suites.catalogue import SCENARIOS, scenario_named
from suites.vocabulary import Scenario

Entries = list[dict[str, Any]]
SPECIFICATION = Path(reference.__file__).parent / "SPEC.md"
CLAUSE = re.compile(r"^\*\*(BN-\d+\.\d+)\*\*(.*?)(?=^\*\*BN-|^#|\Z)", re.MULTILINE | re.DOTALL)


def scenarios() -> Entries:
    """Return every scenario: name, suite, question, clauses, sources, what it settles."""
    return [
        {
            "name": each.name,
            "suite": each.suite,
            "question": each.question,
            "clauses": list(each.clauses),
            "settles": list(each.settles),
            "sources": list(each.sources),
        }
        for each in SCENARIOS
    ]


def implementations() -> Entries:
    """Return every implementation: name, title, where it runs, and what stands against it."""
    return [
        {
            "name": each.name,
            "title": each.title,
            "environment": each.environment,
            "execution": each.execution,
            "device": each.device,
            "instead_of": each.instead_of,
            "obstacle": each.obstacle(),
        }
        for each in registered().values()
    ]


def conventions() -> Entries:
    """Return every axis: name, kind, values, texts, what the paper says, translation."""
    return [
        {
            "name": axis.id,
            "kind": axis.kind,
            "values": list(axis.values),
            "question": axis.question,
            "meaning": axis.meaning,
            "consequence": axis.consequence,
            "paper": axis.paper,
            "translation": axis.translation,
        }
        for axis in AXES
    ]


KINDS: dict[str, Callable[[], Entries]] = {
    "scenarios": scenarios,
    "implementations": implementations,
    "conventions": conventions,
}


def as_json(entries: Entries) -> str:
    """Return entries as JSON."""
    return json.dumps(entries, indent=1, ensure_ascii=False)


def as_text(entries: Entries) -> str:
    """Return entries as lines: the name, then what it is about."""
    width = max(len(entry["name"]) for entry in entries)
    about = ("question", "title")
    return "\n".join(
        f"{entry['name']:<{width}}  {next(entry[key] for key in about if key in entry)}"
        for entry in entries
    )


def clauses() -> dict[str, str]:
    """Return the clauses of the specification by id."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    return {name: body.strip() for name, body in CLAUSE.findall(text)}


def explained(name: str) -> str:
    """Return what a name stands for. Raises Complaint with the nearest known name."""
    names = [each.name for each in SCENARIOS] + [*registered(), *REGISTRY, *clauses()]
    known(name, names, "scenario, implementation, convention or clause")
    if name in REGISTRY:
        return explain_axis(REGISTRY[name])
    if name in registered():
        return explain_implementation(registered()[name])
    if name in clauses():
        return f"{name}\n\n{clauses()[name]}"
    return explain_scenario(scenario_named(name))


def paragraph(text: str) -> str:
    """Return a text wrapped for a terminal."""
    return textwrap.fill(text, 96)


def explain_scenario(each: Scenario) -> str:
    """Return one scenario in words."""
    return "\n\n".join(
        [
            f"Scenario {each.name} (suite {each.suite})",
            paragraph(each.question),
            block("Layer", layer_in_words(each.layer)),
            block("Steps", scenario_in_words(each)),
            *(
                block(f"Settles {axis}; declared there", declared_in(each, axis))
                for axis in each.settles
            ),
            block("Rests on", [*each.clauses, *each.sources]),
        ]
    )


def declared_in(each: Scenario, axis: str) -> list[str]:
    """Return who declares which value of an axis for a scenario, and who cannot express it."""
    lines = []
    for implementation in untransformed().values():
        value = implementation.conventions(each).values[axis]
        said = shown(value)
        if each.name in (implementation.expectations.inexpressible or ()):
            said = "cannot express the scenario"
        lines.append(f"{implementation.name}: {said}")
    return lines


def explain_axis(axis: Axis) -> str:
    """Return one convention: its values, and who declares which."""
    declared = [
        f"{each.name}: {value_of(entry)}"
        for each in registered().values()
        for entry in each.own
        if entry.axis == axis.id
    ]
    paper = "The paper is silent." if axis.paper is None else f"The paper: {shown(axis.paper)}."
    translation = (
        axis.translation
        or "No argument in general; the pairs in the report name a kernel that fits."
    )
    return "\n\n".join(
        [
            f"Convention {axis.id} ({axis.kind})",
            paragraph(f"{axis.question} {axis.meaning} {axis.consequence}"),
            block("Values", [shown(value) for value in axis.values]),
            paper,
            paragraph(f"To translate: {translation}"),
            block("Declared", declared),
        ]
    )


def value_of(entry: Any) -> str:
    """Return one declared value with its condition and its source."""
    when = ", ".join(
        f"{key} {' or '.join(str(value) for value in values)}" for key, values in entry.when.items()
    )
    when = " and ".join(part for part in (when, *entry.version.texts) if part)
    because = entry.why or entry.note
    parts = [shown(entry.value)]
    parts += [f"when {when}"] if when else []
    parts += [f"({because})"] if because else []
    return " ".join(parts + [f"<{cite}>" for cite in entry.cite[:1]])


def explain_implementation(each: Implementation) -> str:
    """Return one implementation: where it runs and what it declares."""
    place = "this environment" if each.environment == "this" else "an isolated environment"
    runs = f"Runs in {place}, {each.execution} execution, on {each.device}."
    obstacle = each.obstacle()
    lines = [f"{entry.axis}: {value_of(entry)}" for entry in each.in_force.entries]
    return "\n\n".join(
        [
            f"Implementation {each.name}",
            paragraph(each.title),
            runs if obstacle is None else f"{runs} Unavailable: {obstacle}",
            block("Declared conventions", lines),
        ]
    )
