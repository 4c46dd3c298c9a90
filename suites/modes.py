"""Which mode a call runs in: what is written, what is remembered, what is left unsaid."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, weights
from suites.sources import CONTRIB, KERAS, KERAS_FAQ, KERAS_TRANSFER_LEARNING, TORCH, TORCH_MODULE
from suites.vocabulary import (
    Call,
    Enclose,
    EvalMode,
    Evaluate,
    Fit,
    Form,
    Predict,
    Scenario,
    SetTracking,
    Training,
    TrainMode,
)

ABOUT = ("output", "loss", "running_mean", "gamma", "beta")
scenario = partial(
    Scenario,
    suite="modes",
    about=ABOUT,
)
X, OTHER, DY = batch("modes/9"), batch("modes/other"), weights("modes/9")
TRUE, FALSE, NONE = Training.TRUE, Training.FALSE, Training.NONE
FORMS: tuple[Form, ...] = ("functional", "subclassed")
BOTH_STATISTICS = ("training-output-statistics", "inference-output-statistics")

TRACKING = (
    TORCH,
    "https://github.com/pytorch/pytorch/pull/38084",
    "https://github.com/pytorch/pytorch/issues/20967",
    "https://github.com/pytorch/pytorch/issues/44415",
)
switched = partial(
    scenario,
    layer=TRAINED,
    clauses=("BN-4.12",),
    sources=TRACKING,
    about=("output", "running_mean", "running_variance"),
)
HELD, OTHER_HELD = batch("more-modes", 3), batch("more-modes/other", 3)
UPDATES = "updates-with-tracking-switched-off"
INFERENCE = "inference-with-tracking-switched-off"
OFF, ON = SetTracking(value=False), SetTracking(value=True)

SCENARIOS = (
    scenario(
        name="bare-call",
        question="Which mode does a fresh layer run in when the call does not say?",
        layer=TRAINED,
        steps=(Call(X),),
        settles=("bare-call",),
        clauses=("BN-6.3",),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="bare-call-of-a-model",
        question="Which mode does a fresh model run its layer in when the call does not say?",
        layer=TRAINED,
        steps=(Enclose(), Call(X)),
        settles=("bare-call",),
        clauses=("BN-6.3",),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="training-none",
        question="What does training=None mean?",
        layer=TRAINED,
        steps=(Call(X, NONE),),
        settles=("training-none",),
        clauses=("BN-6.4",),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="training-none-rank-4",
        question="What does training=None mean on images?",
        layer=replace(TRAINED, rank=4),
        steps=(Call(batch("modes/4", 2, rank=4), NONE),),
        settles=("training-none",),
        clauses=("BN-6.4",),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="training-false",
        question="Does training=False mean inference, with nothing updated?",
        layer=TRAINED,
        steps=(Call(X, FALSE),),
        settles=("inference-output-statistics", "inference-updates"),
        clauses=("BN-6.4", "BN-5.2"),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="training-true",
        question="Does training=True mean training, with the running statistics updated?",
        layer=TRAINED,
        steps=(Call(X, TRUE),),
        about=(*ABOUT, "running_variance"),
        settles=("training-output-statistics",),
        clauses=("BN-6.4", "BN-5.1"),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="training-zero",
        question="What does training=0 mean?",
        layer=TRAINED,
        steps=(Call(X, Training.ZERO),),
        settles=("training-integer",),
        clauses=("BN-6.4",),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="training-one",
        question="What does training=1 mean?",
        layer=TRAINED,
        steps=(Call(X, Training.ONE),),
        settles=("training-integer",),
        clauses=("BN-6.4",),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="fit-trains",
        question="Does the documented training loop run the layer in training mode?",
        layer=TRAINED,
        steps=(Enclose(), Fit(X, DY)),
        about=(*ABOUT, "running_variance"),
        settles=("training-output-variance",),
        clauses=("BN-6.6", "BN-5.1", "BN-7.2", "BN-7.3"),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="fit-in-batches",
        question="Does each batch of a training loop use and update with its own statistics?",
        layer=TRAINED,
        steps=(
            Enclose(),
            Fit(batch("fit-in-batches", 8), weights("fit-in-batches", 8), batch_size=4, epochs=2),
        ),
        about=(*ABOUT, "running_variance"),
        settles=("running-variance-factor",),
        clauses=("BN-6.6", "BN-5.1"),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="evaluate-uses-running-statistics",
        question="Does evaluating a model use the running statistics and leave them alone?",
        layer=TRAINED,
        steps=(Enclose(), Evaluate(X, DY)),
        settles=("inference-output-statistics",),
        clauses=("BN-6.6", "BN-5.2"),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="predict-uses-running-statistics",
        question="Does predicting use the running statistics and leave them alone?",
        layer=TRAINED,
        steps=(Enclose(), Predict(X)),
        settles=("inference-output-statistics",),
        clauses=("BN-6.6", "BN-5.2"),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="predict-ten-times",
        question="Does predicting ten times change nothing?",
        layer=TRAINED,
        steps=(Enclose(), Predict(X), Predict(X, repeat=10)),
        settles=("inference-updates",),
        clauses=("BN-5.2",),
        sources=(KERAS,),
    ),
    scenario(
        name="evaluate-after-fit",
        question="Does evaluating after training use the running statistics of that training?",
        layer=TRAINED,
        steps=(Enclose(), Fit(X, DY), Evaluate(X, DY), Predict(OTHER)),
        settles=("inference-output-statistics", "running-variance-factor"),
        clauses=("BN-6.6", "BN-6.2"),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="bare-call-after-fit",
        question="Which mode does a bare call run in after the training loop?",
        layer=TRAINED,
        steps=(Enclose(), Fit(X, DY), Call(X)),
        settles=("bare-call",),
        clauses=("BN-6.5",),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="bare-call-after-predict",
        question="Which mode does a bare call run in after predicting?",
        layer=TRAINED,
        steps=(Enclose(), Predict(X), Call(X)),
        settles=("mode-memory", "bare-call"),
        clauses=("BN-6.5",),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="training-true-then-bare-call",
        question="Does saying training=True once carry over to a later bare call?",
        layer=TRAINED,
        steps=(Call(X, FALSE), Call(X), Call(X, TRUE), Call(X)),
        settles=("mode-memory",),
        clauses=("BN-6.5",),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="eval-mode",
        question="Does switching the layer to evaluation mode hold for every later call?",
        layer=TRAINED,
        steps=(EvalMode(), Call(X), Call(OTHER)),
        settles=("mode-memory",),
        clauses=("BN-6.5",),
        sources=(TORCH_MODULE,),
    ),
    scenario(
        name="eval-mode-and-back",
        question="Does switching back to training mode bring batch statistics and updates back?",
        layer=TRAINED,
        steps=(EvalMode(), Call(X), TrainMode(), Call(X)),
        settles=("mode-memory",),
        clauses=("BN-6.5",),
        sources=(TORCH_MODULE,),
    ),
    scenario(
        name="eval-mode-of-the-model",
        question="Does switching the enclosing model switch the layer inside?",
        layer=TRAINED,
        steps=(Enclose(), EvalMode("model"), Call(X), TrainMode("model"), Call(X)),
        settles=("mode-memory",),
        clauses=("BN-6.5",),
        sources=(TORCH_MODULE,),
    ),
    scenario(
        name="alternating-modes",
        question="Does each call in an alternating sequence use the statistics of its own mode?",
        layer=TRAINED,
        steps=(Call(X, TRUE), Call(X, FALSE), Call(OTHER, TRUE), Call(OTHER, FALSE)),
        settles=BOTH_STATISTICS,
        clauses=("BN-6.1", "BN-6.2", "BN-5.1"),
        sources=(KERAS, TORCH_MODULE, CONTRIB),
    ),
    scenario(
        name="model-call-in-training-shows-in-inference",
        question="Does model(x, training=True) move the statistics the next inference uses?",
        layer=TRAINED,
        steps=(Enclose(), Call(X), Call(X, TRUE), Call(X, FALSE)),
        settles=("running-variance-factor",),
        clauses=("BN-5.1", "BN-6.2"),
        sources=(KERAS,),
    ),
    *(
        scenario(
            name=f"{form}-model-with-explicit-false-in-fit",
            question=f"Does training=False written inside a {form} model hold in its training "
            "loop?",
            layer=TRAINED,
            steps=(Enclose(FALSE, form), Fit(X, DY)),
            settles=(f"explicit-training-in-a-{form}-model",),
            clauses=("BN-6.7",),
            sources=(KERAS, KERAS_TRANSFER_LEARNING),
        )
        for form in FORMS
    ),
    *(
        scenario(
            name=f"{form}-model-with-explicit-true-in-evaluate",
            question=f"Does training=True written inside a {form} model hold when it is evaluated?",
            layer=TRAINED,
            steps=(Enclose(TRUE, form), Evaluate(X, DY)),
            settles=(f"explicit-training-in-a-{form}-model",),
            clauses=("BN-6.7",),
            sources=(KERAS, KERAS_FAQ),
        )
        for form in FORMS
    ),
    *(
        scenario(
            name=f"{form}-model-with-explicit-true-in-predict",
            question=f"Does training=True inside a {form} model make predictions depend on the "
            "batch?",
            layer=TRAINED,
            steps=(Enclose(TRUE, form), Predict(X), Predict(batch("modes/9", 2))),
            settles=(f"explicit-training-in-a-{form}-model",),
            clauses=("BN-6.7",),
            sources=(KERAS, KERAS_FAQ),
        )
        for form in FORMS
    ),
    scenario(
        name="explicit-none-inside-a-model-in-fit",
        question="Does a layer handed training=None by its model's forward pass train in fit?",
        layer=TRAINED,
        steps=(Enclose(NONE, "subclassed"), Fit(X, DY)),
        settles=("explicit-none-in-a-model",),
        clauses=("BN-6.7", "BN-6.4", "BN-6.9"),
        sources=(KERAS,),
    ),
    scenario(
        name="subclassed-model-in-fit-and-predict",
        question="Does a model class that hands `training` on train in fit and infer in predict?",
        layer=TRAINED,
        steps=(Enclose(form="subclassed"), Fit(X, DY), Predict(OTHER)),
        settles=BOTH_STATISTICS,
        clauses=("BN-6.6",),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="model-without-a-training-argument-in-fit",
        question="Does fit train a layer whose model's forward pass takes no training argument?",
        layer=TRAINED,
        steps=(Enclose(form="without-training"), Fit(X, DY)),
        settles=("model-without-a-training-argument",),
        clauses=("BN-6.7", "BN-6.10"),
        sources=(KERAS, TORCH_MODULE),
    ),
    scenario(
        name="model-without-a-training-argument-in-predict",
        question="Does predict infer when the model's forward pass takes no training argument?",
        layer=TRAINED,
        steps=(Enclose(form="without-training"), Predict(X)),
        settles=("bare-call",),
        clauses=("BN-6.7", "BN-6.10"),
        sources=(KERAS, CONTRIB),
    ),
    scenario(
        name="fed-true",
        question="Does a mode fed at execution time as a tensor holding True train?",
        layer=TRAINED,
        steps=(Call(X, TRUE, mode="fed"),),
        settles=("training-output-statistics", "training-tensor"),
        clauses=("BN-6.8",),
        sources=(CONTRIB,),
    ),
    scenario(
        name="fed-false",
        question="Does a mode fed at execution time as a tensor holding False infer?",
        layer=TRAINED,
        steps=(Call(X, FALSE, mode="fed"),),
        settles=("inference-output-statistics", "training-tensor"),
        clauses=("BN-6.8",),
        sources=(CONTRIB,),
    ),
    scenario(
        name="fed-in-turn",
        question="Does one graph follow a mode fed differently at each execution?",
        layer=TRAINED,
        steps=tuple(Call(X, mode, mode="fed") for mode in (TRUE, FALSE, TRUE)),
        settles=(*BOTH_STATISTICS, "training-tensor"),
        clauses=("BN-6.8",),
        sources=(CONTRIB,),
    ),
    scenario(
        name="placeholder-tested-with-is-true",
        question="Does a model that tests its mode placeholder with `is True` ever train?",
        layer=TRAINED,
        steps=(Call(X, TRUE, mode="is-true-test"), Call(X, TRUE, mode="is-true-test")),
        settles=("inference-output-statistics",),
        clauses=("BN-6.11",),
        sources=(CONTRIB, "https://docs.python.org/3/reference/expressions.html#is-not"),
    ),
    switched(
        name="tracking-switched-off-in-training",
        question="Do running statistics still move in training after tracking was switched off?",
        steps=(Call(HELD, TRUE), OFF, Call(OTHER_HELD, TRUE)),
        settles=(UPDATES,),
    ),
    switched(
        name="tracking-switched-off-in-inference",
        question="Does inference use the running statistics after tracking was switched off?",
        steps=(Call(HELD, TRUE), OFF, Call(OTHER_HELD, FALSE)),
        settles=(UPDATES, INFERENCE),
    ),
    switched(
        name="tracking-switched-on-again",
        question="Do running statistics go on from where they are when tracking is on again?",
        steps=(OFF, Call(HELD, TRUE), ON, Call(OTHER_HELD, TRUE), Call(HELD, FALSE)),
        settles=(UPDATES,),
    ),
)
