"""Since which version each implementation does what: from stored runs to one document.

The document is that of reports.compatibility. It speaks of versions that were run and of no others:
between two of them that differ, a change is after the one and by the other.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.version import Version

from harness.complaint import Complaint
from harness.evaluation import of_run
from harness.history_rows import open_questions, rows
from harness.implementations import public, registered
from harness.matrix import cores
from harness.stand_ins import UNSUPPORTED
from harness.store import Run, Store, StoredCell
from harness.summaries import Json, keep, key_of, otherwise, recalled, summary_of
from harness.trace_key import question_of
from reference.conventions import REGISTRY
from reports.compatibility import SCHEMA_VERSION
from suites.catalogue import SCENARIOS

WORTH_PROCESSES = 3
SPAWNED = multiprocessing.get_context("spawn")


@dataclass
class History:
    """The newest stored run of each implementation at its versions, with what came of it.

    `left_out` are the sentences that say which runs could not be judged.
    """

    runs: list[tuple[Run, Json]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def history(store: Store, progress: Callable[[str], None], at_once: int | None = None) -> History:
    """Return what the store knows, judged anew where the source that judges has changed."""
    chosen = list(newest_runs(store))
    found = History()
    for run, summary in zip(chosen, summaries(store, chosen, progress, at_once), strict=True):
        if isinstance(summary, str):
            found.left_out.append(summary)
        else:
            found.runs.append((run, summary))
    return found


def newest_runs(store: Store) -> Iterator[Run]:
    """Yield one finished run of each implementation at each of its versions, in their order.

    The newest of those that answer the most of today's scenarios: one that was asked a selection
    does not hide one that was asked everything.
    """
    best: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[int, Run]] = {}
    for run in store.runs():
        if not run.finished or run.implementation not in registered():
            continue
        at = tuple(sorted((name, public(version)) for name, version in run.versions.items()))
        answered = answering(store.cells(run.id))
        if answered > best.get((run.implementation, at), (0, run))[0]:
            best[run.implementation, at] = (answered, run)
    for name in registered():
        runs = [run for _, run in best.values() if run.implementation == name]
        yield from sorted(runs, key=order)


def answering(cells: Iterable[StoredCell]) -> int:
    """Return how many of today's scenarios the cells of a run answer."""
    questions = todays_questions()
    return sum(
        cell.scenario in questions
        and (cell.key is None or cell.key.rpartition("-")[2] == questions[cell.scenario])
        for cell in cells
    )


@cache
def todays_questions() -> dict[str, str]:
    """Return by its name what stands for each of today's scenarios in a key."""
    return {scenario.name: question_of(scenario) for scenario in SCENARIOS}


def order(run: Run) -> tuple[Version, list[tuple[str, Version]]]:
    """Return what runs of one implementation are sorted by: the principal package, then others."""
    principal = registered()[run.implementation].principal
    versions = {name: Version(public(version)) for name, version in run.versions.items()}
    first = versions.pop(principal, Version("0"))
    return first, sorted(versions.items())


# What came of each run.


def summaries(
    store: Store, runs: Sequence[Run], progress: Callable[[str], None], at_once: int | None
) -> list[Json | str]:
    """Return the summary of each run, or the sentence that says why there is none."""
    found: dict[int, Json | str] = {}
    for run in runs:
        if (kept := summary_of_run(store, run, judge=False)) is not None:
            found[run.id] = kept
    missing = [run for run in runs if run.id not in found]
    if missing:
        progress(f"Judging {len(missing)} stored run{'s' * (len(missing) > 1)} anew.")
    if len(missing) < WORTH_PROCESSES:
        judged: Iterable[Json | str | None] = [summary_of_run(store, run) for run in missing]
    else:
        judged = side_by_side(store.path, missing, at_once or cores())
    for run, summary in zip(missing, judged, strict=True):
        assert summary is not None
        found[run.id] = summary
    return [found[run.id] for run in runs]


def summary_of_run(store: Store, run: Run, *, judge: bool = True) -> Json | str | None:
    """Return the summary of a run, or why there is none; None where it is not kept or judged."""
    about = replace(registered()[run.implementation], versions=dict(run.versions))
    cells = store.cells(run.id)
    key = key_of(about, cells)
    if (kept := recalled(key)) is not None or not judge:
        return kept
    try:
        evaluation = of_run(store, run, SCENARIOS)
    except Complaint as complaint:
        return str(complaint)
    made = summary_of(evaluation.cells.values(), evaluation.findings)
    if len(evaluation.cells) == answering(cells):  # else an answer is damaged and may be again had
        keep(key, made)
    return made


def side_by_side(path: Path, runs: Sequence[Run], at_once: int) -> list[Json | str | None]:
    """Return the summaries of runs, judged in several processes. Raises Complaint."""
    try:
        with ProcessPoolExecutor(min(at_once, len(runs)), SPAWNED) as pool:
            return list(pool.map(summary_in_a_process, [path] * len(runs), runs))
    except BrokenProcessPool as death:
        message = "A process that judged stored runs was killed. Run it again."
        raise Complaint(message) from death


def summary_in_a_process(path: Path, run: Run) -> Json | str | None:
    """Return the summary of a run in a process that has the store to open."""
    with Store(path) as store:
        return summary_of_run(store, run)


# The document.


def document(found: History) -> Json:
    """Return what is known of every axis and implementation, in the form of the schema."""
    named = {name: labelled(name, found) for name in registered()}
    named = {name: runs for name, runs in named.items() if runs}
    return {
        "schema": SCHEMA_VERSION,
        "suite": {"name": "bnconform", "version": metadata.version("bnconform")},
        "implementations": {
            name: {
                "title": registered()[name].title,
                "package": registered()[name].principal,
                "runs": [entry(label, run, summary) for label, run, summary in runs],
            }
            for name, runs in named.items()
        },
        "conventions": {
            axis: {
                name: about(axis, [(label, summary) for label, _, summary in runs])
                for name, runs in named.items()
            }
            for axis in REGISTRY
        },
    }


def about(axis: str, runs: Sequence[tuple[str, Json]]) -> Json:
    """Return what one implementation does on one axis."""
    return {"measured": rows(axis, runs), "open": open_questions(axis, runs)}


def labelled(name: str, found: History) -> list[tuple[str, Run, Json]]:
    """Return the runs of an implementation with what each is called.

    That is its principal version; with the others where one principal version was run with several.
    """
    runs = [(run, summary) for run, summary in found.runs if run.implementation == name]
    principal = registered()[name].principal
    plain = [public(run.versions.get(principal, "0")) for run, _ in runs]
    return [
        (version if plain.count(version) == 1 else in_full(version, principal, run), run, summary)
        for version, (run, summary) in zip(plain, runs, strict=True)
    ]


def in_full(version: str, principal: str, run: Run) -> str:
    """Return a version with those of the other packages."""
    others = [f"{name} {public(at)}" for name, at in run.versions.items() if name != principal]
    return f"{version} ({', '.join(others)})"


def entry(label: str, run: Run, summary: Json) -> Json:
    """Return what is to be said of one run."""
    made = run.environment.get("stand_ins")
    return {
        "label": label,
        "versions": {package: public(version) for package, version in run.versions.items()},
        "python": run.environment.get("python"),
        "as_of": run.environment.get("as_of"),
        "measured_on": run.started_at.partition("T")[0],
        "asked": summary["asked"],
        "judged": summary["judged"],
        "verdicts": summary["verdicts"],
        "unexpected": [
            {name: cell[name] for name in ("scenario", "verdict")} for cell in summary["unexpected"]
        ],
        "known": summary["known"],
        "otherwise": list(dict.fromkeys(each["axis"] for each in otherwise(summary))),
        "unnamed": list(dict.fromkeys(each["scenario"] for each in summary["unnamed"])),
        "caveats": [f"{UNSUPPORTED} ({len(made)} of them)."] if made else [],
    }
