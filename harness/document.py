"""Turns a session into the results document that reports are made from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np

from harness import undeclared
from harness.agreement import Agreement, compare, measured_otherwise, parties
from harness.declarations import Declaration
from harness.finding_words import finding_in_words, unnamed_in_words
from harness.findings import Findings, context_in_words
from harness.implementations import Implementation, registered
from harness.judge import Array, Check, StepJudgement
from harness.pairs import Pair, pairs
from harness.session import Session
from harness.verdict import Cell
from harness.words import layer_in_words, scenario_in_words, step_in_words
from reference.axis import Axis, Value
from reference.conventions import GROUPS
from reports.results import SCHEMA_VERSION
from suites.vocabulary import Scenario

MOST_VALUES = 64
Json = dict[str, Any]


def document(session: Session, started: datetime, complete: bool) -> Json:
    """Return the results of a session; `complete` says whether it ran to its end."""
    rows = rows_of(session)
    measured = {
        each.name: measured_otherwise(
            cell for row in rows for cell in row if cell.implementation == each.name
        )
        for each in session.implementations
    }
    compared = [(row, parties(row, measured)) for row in rows]
    return {
        "schema": SCHEMA_VERSION,
        "suite": suite(),
        "started": started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "complete": complete and not any(c.verdict == "did not run" for row in rows for c in row),
        "expected_cells": len(session.implementations) * len(session.scenarios),
        "run_cells": session.measured,
        "banners": banners(session),
        "implementations": [implementation(each, session) for each in session.implementations],
        "conventions": [convention(axis, group) for group, axes in GROUPS.items() for axis in axes],
        "scenarios": [scenario(each) for each in session.scenarios],
        "cells": [
            cell(each, session, measured[each.implementation]) for row in rows for each in row
        ],
        "agreement": [agreement(compare(row, present)) for row, present in compared],
        "pairs": [pair(each) for each in pairs(compared, session.implementations)],
        "identified": [
            identified(session.findings[each.name])
            for each in session.implementations
            if each.name in session.findings
        ],
    }


def rows_of(session: Session) -> list[list[Cell]]:
    """Return the cells, one row per scenario, in the order of the session."""
    session.fill()
    return [
        [session.cells[each.name, scenario.name] for each in session.implementations]
        for scenario in session.scenarios
    ]


def suite() -> Json:
    """Return what is known about this suite and where it ran."""
    return {
        "name": "bnconform",
        "version": metadata.version("bnconform"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{platform.system()}-{platform.machine()}",
    }


def banners(session: Session) -> list[str]:
    """Return what a reader must know before anything else."""
    lines = [f"{name} is unavailable. {why}" for name, why in session.unavailable.items()]
    lines += [f"{name}: {said}" for name, found in session.caveats.items() for said in found]
    lines += session.complaints
    for each in session.implementations:
        principal = registered()[each.instead_of] if each.instead_of is not None else None
        if principal is not None and (obstacle := principal.obstacle()):
            lines.append(f"{each.name} answers instead of {each.instead_of}. {obstacle}")
        if each.name in session.findings and (said := undeclared.banner(each)):
            lines.append(said)
    return lines


def implementation(each: Implementation, session: Session) -> Json:
    """Return one implementation with its versions and declarations."""
    header = session.headers.get(each.name, {})
    versions = dict(header.get("versions", {}))
    if "numpy" in header:
        versions["numpy"] = header["numpy"]
    assumed = each.declared.assumed(versions)
    return {
        "name": each.name,
        "title": each.title,
        "available": each.name not in session.unavailable,
        "unavailable_reason": session.unavailable.get(each.name),
        "versions": versions,
        "python": header.get("python"),
        "platform": header.get("platform"),
        "execution": each.transformation or each.execution,
        "device": each.device,
        "conventions": [
            {
                "axis": entry.axis,
                "value": entry.value,
                "when": circumstances(entry),
                "cite": list(entry.cite),
                "why": entry.why or entry.note,
                "assumed": assumed,
            }
            for entry in each.in_force.entries
        ],
    }


def circumstances(entry: Declaration) -> Json:
    """Return what a declaration is limited to."""
    limits: Json = {key: list(values) for key, values in entry.when.items()}
    return {**limits, "version": list(entry.version.texts)} if entry.version.texts else limits


def convention(axis: Axis, group: str) -> Json:
    """Return one axis of the registry."""
    return {
        "id": axis.id,
        "group": group,
        "question": axis.question,
        "consequence": axis.consequence,
        "kind": axis.kind,
        "values": list(axis.values),
        "meaning": axis.meaning,
        "paper": axis.paper,
        "translation": axis.translation,
    }


def scenario(each: Scenario) -> Json:
    """Return one scenario in words."""
    return {
        "name": each.name,
        "suite": each.suite,
        "question": each.question,
        "clauses": list(each.clauses),
        "sources": list(each.sources),
        "settles": list(each.settles),
        "layer": layer_in_words(each.layer),
        "steps": scenario_in_words(each),
    }


def cell(each: Cell, session: Session, measured: Mapping[str, Value]) -> Json:
    """Return one verdict with everything that led to it."""
    name = each.scenario.name
    issue = each.expectations.issues.get(name)
    return {
        "implementation": each.implementation,
        "scenario": name,
        "suite": each.scenario.suite,
        "verdict": each.verdict,
        "expected": each.expected or (each.verdict == "unavailable" and not session.demanded),
        "known": None if issue is None else {"link": issue.link, "note": issue.note},
        "reason": each.reason,
        "answers": answers(each, measured),
        "explanations": [
            {
                "axis": found.axis,
                "declared": found.declared,
                "would_agree": found.would_agree,
                "sentence": found.sentence,
            }
            for found in each.explanations
        ],
        "steps": [step(found) for found in each.judgement.steps] if each.judgement else [],
    }


def answers(each: Cell, measured: Mapping[str, Value]) -> list[Json]:
    """Return what the scenario settles about the implementation: axes with their values.

    `measured` are the values that explain where it differs from its declaration; a difference that
    they do not explain settles nothing.
    """
    if each.judgement is None or each.conventions is None:
        return []
    explained = {found.axis for found in each.explanations} & set(measured)
    if not each.judgement.agrees and not explained:
        return []
    values = {**each.conventions.values, **measured}
    axes = dict.fromkeys((*each.scenario.settles, *explained))
    return [{"axis": axis, "value": values[axis]} for axis in axes if axis in each.judgement.read]


def step(found: StepJudgement) -> Json:
    """Return one judged step."""
    refusal = found.refusal
    return {
        "step": step_in_words(found.step),
        "agrees": found.agrees,
        "refusal": None if refusal is None else {"type": refusal.type, "message": refusal.message},
        "checks": [check(each) for each in found.checks],
    }


def check(found: Check) -> Json:
    """Return one compared quantity; only the first values of a large one."""
    array = found.observed if found.observed is not None else found.expected
    comparable = not found.note
    return {
        "quantity": found.quantity,
        "shape": list(array.shape) if array is not None else [],
        "expected": values(found.expected),
        "observed": values(found.observed),
        "error": number(found.error) if comparable else None,
        "bound": number(found.bound) if comparable else None,
        "fraction": number(found.fraction) if comparable else None,
        "index": list(found.index) if comparable else None,
        "agrees": found.agrees,
    }


def values(array: Array | None) -> list[float | str] | None:
    """Return the first values of an array in row-major order."""
    if array is None:
        return None
    return [number(value) for value in array.ravel()[:MOST_VALUES]]


def number(value: float) -> float | str:
    """Return a number as strict JSON has it."""
    value = float(value)
    if np.isfinite(value):
        return value
    return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def agreement(found: Agreement) -> Json:
    """Return who behaves alike in one scenario."""
    return {
        "scenario": found.scenario.name,
        "groups": [list(group) for group in found.groups],
        "odd_one_out": found.odd_one_out,
        "absent": found.absent,
        "separated_by": [
            {
                "left": each.left,
                "right": each.right,
                "axes": list(each.axes),
                "sentence": each.sentence,
            }
            for each in found.separations
        ],
    }


def pair(found: Pair) -> Json:
    """Return what moving from one implementation to another changes."""
    translated: list[Json] = []
    unmatched: list[Json] = []
    for each in found.different:
        entry: Json = {"scenario": each.scenario, "axes": list(each.advice)}
        if each.translatable:
            translated.append({**entry, "advice": list(each.advice.values())})
        else:
            unmatched.append({**entry, "axes": each.unmatched, "sentence": each.sentence})
    return {
        "from": found.left,
        "to": found.right,
        "same": found.same,
        "translated": translated,
        "unmatched": unmatched,
        "not_comparable": [
            {"scenario": name, "reason": reason} for name, reason in found.not_comparable.items()
        ],
    }


def identified(found: Findings) -> Json:
    """Return the measured conventions of one implementation, and what has no name."""
    surprises, mysteries = found.surprises, found.mysteries
    return {
        "implementation": found.implementation,
        "conventions": [
            {
                "axis": each.axis,
                "status": each.status,
                "expected": each not in surprises,
                "declared": each.declared,
                "measured": list(each.values),
                "sentence": finding_in_words(each),
                "contexts": [context_in_words(context) for context in each.contexts],
                "decided_by": list(each.decided_by),
                "contradicted_by": list(each.contradicted_by),
            }
            for each in found.axes
        ],
        "unnamed": [
            {
                "scenario": each.question.scenario.name,
                "step": each.question.step + 1,
                "quantity": each.question.quantity,
                "sentence": unnamed_in_words(each),
                "context": context_in_words(context),
                "expected": (context, each) not in mysteries,
                "fraction": number(each.fit.fraction),
                "closest": each.closest,
                "instead": [{"axis": axis, "value": value} for axis, value in each.instead],
            }
            for context, each in found.unnamed
        ],
    }


def surprises(results: Json) -> Json:
    """Return, by kind, what identification found that nobody declared.

    `conventions` measured otherwise than declared, and behaviours `unnamed`, each with its
    implementation.
    """
    return {
        kind: [
            {"implementation": found["implementation"], **each}
            for found in results.get("identified", [])
            for each in found[kind]
            if not each["expected"]
        ]
        for kind in ("conventions", "unnamed")
    }


def unexpected(results: Json) -> Sequence[Json]:
    """Return the cells whose verdict nobody expected."""
    return [each for each in results["cells"] if not each["expected"]]
