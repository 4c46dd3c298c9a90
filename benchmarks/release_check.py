"""From `check` to the verdict: `python -m benchmarks.release_check [PACKAGE==VERSION]...`.

Checks each release, by default torch==1.13.1, twice, with nothing made or stored before the first
time but uv's cache warm. Prints the seconds of each part of the first check, added up over the
implementations, which are asked side by side; then the seconds of the second, as a whole and as a
part of the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1]
CHECK = [sys.executable, "-c", "from harness.command_line import main; main()", "check"]


def checked(release: str, environ: Mapping[str, str]) -> tuple[float, dict[str, float]]:
    """Return the seconds of a check as a whole and by part. Exits where it could not be done."""
    started = time.perf_counter()
    done = subprocess.run(
        [*CHECK, release, "--json"],
        cwd=PROJECT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        sys.exit(f"{release} could not be checked.")
    return seconds, json.loads(done.stdout)["seconds"]


def main(releases: Sequence[str]) -> None:
    """Print the seconds of each release's checks."""
    for release in releases or ["torch==1.13.1"]:
        with tempfile.TemporaryDirectory() as folder:
            environ = {
                "BNCONFORM_CACHE": folder,
                "BNCONFORM_STORE": str(Path(folder) / "store.sqlite3"),
            }
            checked(release, environ)  # warms uv's cache
            warm = {**environ, "BNCONFORM_CACHE": f"{folder}/again", "BNCONFORM_STORE": ""}
            first, parts = checked(release, warm)
            second, _ = checked(release, warm)
        split = ", ".join(f"{part} {spent:.1f}" for part, spent in parts.items())
        print(f"{release}: {first:.1f} s ({split})")
        print(f"{'':{len(release)}}  again: {second:.2f} s, {second / first:.3f} of that")


if __name__ == "__main__":
    main(sys.argv[1:])
