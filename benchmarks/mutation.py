"""Mutates the frameworks' own BatchNorm: `python -m benchmarks.mutation [TARGET]...`.

Prints how many mutants the scenarios kill and where the survivors are, and keeps it in
`benchmarks/mutation.json` and `docs/mutation.md`; beside it the same for the framework's own tests,
where it ships them. Ends with status 1 where a survivor is not excluded, or an exclusion is stale.

    --sample N    only about N mutants of each target, evenly spread; nothing is kept then
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.mutants import Mutant, mutants_of
from benchmarks.mutation_excluded import Exclusion, exclusion_of, exclusions
from benchmarks.mutation_page import RESULTS, write
from benchmarks.mutation_targets import TARGETS, Target, target_named
from benchmarks.mutation_trial import Asked, Fate, OwnTest, Question, Trial
from harness.implementations import named
from harness.placement import Place, place_of
from harness.wire import scenario_to_json
from suites.catalogue import SCENARIOS

Json = dict[str, Any]


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def questionnaire(target: Target) -> Json:
    """Return what the worker is told at its start."""
    modules = {
        name: {"definitions": list(each.definitions), "public": list(each.public)}
        for name, each in target.modules.items()
    }
    return {
        "modules": modules,
        "imports": list(target.imports),
        "scenarios": {each.name: scenario_to_json(each) for each in SCENARIOS},
        "test_module": target.test_module,
    }


def sampled(mutants: Sequence[Mutant], number: int | None) -> Sequence[Mutant]:
    """Return about so many of the mutants, evenly spread; all for None."""
    return mutants if number is None else mutants[:: max(1, len(mutants) // number)]


def measured(target: Target, sample: int | None) -> Json:
    """Return what becomes of a target's mutants, as it is kept."""
    place = place_of(named([target.implementation])[0], say)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(place.command, questionnaire(target), Path(folder))
        try:
            return outcomes(target, place, trial, sample)
        finally:
            trial.close()


def outcomes(target: Target, place: Place, trial: Trial, sample: int | None) -> Json:
    """Ask the scenarios and the framework's own tests of every mutant."""
    originals = trial.read_originals()
    mutants = sampled(
        [
            mutant
            for module, source in originals.items()
            for mutant in mutants_of(module, source, target.modules[module].definitions)
        ],
        sample,
    )
    asked: dict[str, list[Question]] = {
        "scenarios": [Asked(each, place.implementation) for each in SCENARIOS]
    }
    if target.test_module is not None:
        asked["tests of its own"] = [OwnTest(each) for each in trial.tests(target.test_module)]
    tools = {each: metadata.version(each) for each in ("cosmic-ray", "parso")}
    return {
        "command": f"python -m benchmarks.mutation {target.name}",
        "versions": {**place.versions, "python": place.environment["python"], **tools},
        "processors": os.cpu_count(),
        "modules": {name: list(each.definitions) for name, each in target.modules.items()},
        "left_out": target.left_out,
        "mutants": len(mutants),
        "outcomes": {
            name: outcome(target, trial, questions, mutants) for name, questions in asked.items()
        },
    }


def outcome(
    target: Target, trial: Trial, questions: Sequence[Question], mutants: Sequence[Mutant]
) -> Json:
    """Return what becomes of the mutants when asked these questions."""
    started = time.perf_counter()
    trial.learn(questions)
    say(f"{target.name}: {len(questions)} questions took {time.perf_counter() - started:.0f} s.")
    fates = trial.run(mutants, Progress(len(mutants)))
    seconds = time.perf_counter() - started
    return summarised(trial, fates, exclusions(target.name), seconds)


class Progress:
    """Says how far it is, and every survivor."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0

    def __call__(self, fate: Fate) -> None:
        """Count a mutant."""
        self.done += 1
        if fate.what != "killed" or self.done % 20 == 0:
            mutant = fate.mutant
            say(f"{self.done}/{self.total} {fate.what} {mutant.function}:{mutant.line} {fate.by}")


def summarised(
    trial: Trial, fates: Sequence[Fate], excluded: Sequence[Exclusion], seconds: float
) -> Json:
    """Return the counts, the score, and every survivor, with its exclusion where it has one."""
    survivors = []
    for fate in fates:
        if fate.what == "survived":
            found = exclusion_of(fate.mutant, excluded)
            about = {"excluded": f"{found.kind}: {found.reason}"} if found else {}
            survivors.append({**survivor(trial, fate), **about})
    counts = Counter(fate.what for fate in fates)
    set_aside = sum("excluded" in each for each in survivors)
    killed = counts["killed"] + counts["timed out"]
    return {
        "questions": len(trial.questions),
        "seconds": round(seconds),
        "counts": {
            "killed": counts["killed"],
            "timed out": counts["timed out"],
            "excluded": set_aside,
            "survived": counts["survived"] - set_aside,
        },
        "score": killed / max(1, len(fates) - set_aside),
        "killers": dict(Counter(trial.kills).most_common()),
        "survivors": survivors,
    }


def survivor(trial: Trial, fate: Fate) -> Json:
    """Return where a survivor is and what it changes."""
    mutant = fate.mutant
    return {
        "module": mutant.module,
        "function": mutant.function,
        "line": mutant.line,
        "before": mutant.before,
        "after": mutant.after,
        "operator": mutant.operator,
        "executed": bool(trial.telling(mutant)),
        "noticed": list(fate.noticed),
    }


def printed(name: str, result: Mapping[str, Any]) -> bool:
    """Print a target's outcomes; return whether the scenarios leave nothing unexplained."""
    for asked, found in result["outcomes"].items():
        counts = ", ".join(f"{number} {what}" for what, number in found["counts"].items())
        minutes = found["seconds"] / 60
        print(f"{name}, {found['questions']} {asked}: {counts} of {result['mutants']} mutants;")
        print(f"    score {100 * found['score']:.1f} % in {minutes:.1f} minutes")
    remaining = [
        each for each in result["outcomes"]["scenarios"]["survivors"] if "excluded" not in each
    ]
    for each in remaining:
        unseen = "" if each["executed"] else "   (no scenario executes it)"
        print(f"  {each['module']}:{each['line']} in {each['function']}{unseen}")
        print(f"    - {each['before']}\n    + {each['after']}")
    return not remaining


def stale(name: str, result: Mapping[str, Any]) -> list[Exclusion]:
    """Return the exclusions that no survivor needs."""
    found = [
        Mutant(
            each["module"], "", each["function"], each["line"], each["before"], each["after"], ""
        )
        for each in result["outcomes"]["scenarios"]["survivors"]
    ]
    return [each for each in exclusions(name) if not any(each.covers(mutant) for mutant in found)]


def main(arguments: Sequence[str]) -> int:
    """Measure the targets; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--sample", type=int, metavar="N")
    asked = parser.parse_args(arguments)
    fine = True
    for name in asked.targets or [target.name for target in TARGETS]:
        result = measured(target_named(name), asked.sample)
        fine &= printed(name, result)
        if asked.sample is None:
            for each in stale(name, result):
                print(f"  no survivor needs the exclusion of {each.before!r} in {each.function}")
                fine = False
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"targets": {}}
            known["targets"][name] = result
            write(known)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
