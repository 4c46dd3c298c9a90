"""What a layer does whose running statistics are told to stand still while it lives."""

from __future__ import annotations

from functools import partial

from suites.inputs import TRAINED, batch
from suites.sources import TORCH
from suites.vocabulary import Call, Scenario, SetTracking, Training

SOURCES = (
    TORCH,
    "https://github.com/pytorch/pytorch/pull/38084",
    "https://github.com/pytorch/pytorch/issues/20967",
    "https://github.com/pytorch/pytorch/issues/44415",
)
scenario = partial(
    Scenario,
    suite="modes",
    layer=TRAINED,
    clauses=("BN-4.12",),
    sources=SOURCES,
    about=("output", "running_mean", "running_variance"),
)
X, OTHER = batch("more-modes", 3), batch("more-modes/other", 3)
TRUE, FALSE = Training.TRUE, Training.FALSE
UPDATES = "updates-with-tracking-switched-off"
INFERENCE = "inference-with-tracking-switched-off"
OFF, ON = SetTracking(value=False), SetTracking(value=True)

SCENARIOS = (
    scenario(
        name="tracking-switched-off-in-training",
        question="Do running statistics still move in training after tracking was switched off?",
        steps=(Call(X, TRUE), OFF, Call(OTHER, TRUE)),
        settles=(UPDATES,),
    ),
    scenario(
        name="tracking-switched-off-in-inference",
        question="Does inference use the running statistics after tracking was switched off?",
        steps=(Call(X, TRUE), OFF, Call(OTHER, FALSE)),
        settles=(UPDATES, INFERENCE),
    ),
    scenario(
        name="tracking-switched-on-again",
        question="Do running statistics go on from where they are when tracking is on again?",
        steps=(OFF, Call(X, TRUE), ON, Call(OTHER, TRUE), Call(X, FALSE)),
        settles=(UPDATES,),
    ),
)
