"""Reads one request, performs it and gives one answer, as JSON lines; see `perform`.

python adapters/recording/run.py
"""

import importlib
import json
import os
import sys


def put_root_last() -> None:
    """Make this package importable without shadowing anything, as `worker` does."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root] + [each for each in sys.path if os.path.abspath(each or ".") != here]
    importlib.import_module("adapters")
    sys.path.append(sys.path.pop(0))


if __name__ == "__main__":
    put_root_last()
    from adapters.recording.perform import answer
    from adapters.worker import take_standard_streams

    requests, answers = take_standard_streams()
    answers.write(json.dumps(answer(json.loads(requests.readline()))) + "\n")
    answers.flush()
