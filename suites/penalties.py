"""Penalties, constraints, weight decay and initializers of gamma and beta."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, weights, without_initial_state
from suites.sources import (
    CONTRIB,
    KERAS,
    KERAS_CONSTRAINTS,
    KERAS_INITIALIZERS,
    KERAS_REGULARIZERS,
    SGD,
    TORCH_MODULE,
)
from suites.vocabulary import (
    Call,
    Enclose,
    Evaluate,
    Fit,
    Restore,
    Scenario,
    SetTrainable,
    Training,
)

scenario = partial(
    Scenario,
    suite="penalties",
    about=(
        "output",
        "loss",
        "gamma",
        "beta",
        "dx",
        "dgamma",
        "dbeta",
        "running_mean",
        "running_variance",
        "trainable_parameters",
    ),
)
X, DY = batch("penalties/x", 6), weights("penalties/x", 6)
TRUE, FALSE = Training.TRUE, Training.FALSE
PENALISED = replace(TRAINED, gamma_penalty=0.5, beta_penalty=0.25)
CONSTRAINED = replace(TRAINED, gamma_constraint="non-negative", beta_constraint="non-negative")
INITIALIZED = replace(
    without_initial_state(TRAINED),
    gamma_initializer=-1.5,
    beta_initializer=0.75,
    running_mean_initializer=0.5,
    running_variance_initializer=0.25,
)
REGULARIZED = (KERAS, KERAS_REGULARIZERS, CONTRIB)
TRAINING = ("training-output-statistics",)

SCENARIOS = (
    scenario(
        name="penalty-on-gamma",
        question="Does a penalty on gamma enter the loss and the step of gamma alone?",
        layer=replace(TRAINED, gamma_penalty=0.5),
        steps=(Enclose(), Fit(X, DY)),
        settles=TRAINING,
        clauses=("BN-16.1", "BN-16.3"),
        sources=REGULARIZED,
    ),
    scenario(
        name="penalty-on-beta",
        question="Does a penalty on beta enter the loss and the step of beta alone?",
        layer=replace(TRAINED, beta_penalty=0.5),
        steps=(Enclose(), Fit(X, DY)),
        settles=TRAINING,
        clauses=("BN-16.1", "BN-16.3"),
        sources=REGULARIZED,
    ),
    scenario(
        name="penalties-in-batches",
        question="Do penalties enter the loss of every batch, and its evaluation afterwards?",
        layer=PENALISED,
        steps=(Enclose(), Fit(X, DY, batch_size=2, epochs=2), Evaluate(X, DY)),
        settles=("training-output-statistics", "inference-output-statistics"),
        clauses=("BN-16.1", "BN-16.3"),
        sources=REGULARIZED,
    ),
    scenario(
        name="penalties-without-a-loss",
        question="Are the gradients of the output alone free of penalties?",
        layer=PENALISED,
        steps=(Call(X, TRUE, DY), Call(X, FALSE, DY)),
        settles=("training-gradient", "inference-gradient"),
        clauses=("BN-16.1", "BN-16.3"),
        sources=REGULARIZED,
    ),
    scenario(
        name="penalties-of-a-frozen-layer",
        question="Do the penalties of a layer stay in the loss when it is frozen?",
        layer=PENALISED,
        steps=(Enclose(), SetTrainable(False), Fit(X, DY), Evaluate(X, DY)),
        settles=("penalty-of-frozen-parameters",),
        clauses=("BN-16.6",),
        sources=REGULARIZED,
    ),
    scenario(
        name="penalties-of-a-layer-born-frozen",
        question="Are the penalties of a layer made with trainable=False in the loss?",
        layer=replace(PENALISED, trainable=False),
        steps=(Enclose(), Evaluate(X, DY)),
        settles=("penalty-of-frozen-parameters",),
        clauses=("BN-16.6",),
        sources=REGULARIZED,
    ),
    scenario(
        name="penalties-after-restoring",
        question="Does a model saved whole still have its penalties once it is loaded?",
        layer=PENALISED,
        steps=(Enclose(), Restore("file"), Fit(X, DY)),
        settles=TRAINING,
        clauses=("BN-15.8", "BN-16.1"),
        sources=(KERAS_REGULARIZERS, "https://keras.io/guides/serialization_and_saving/"),
    ),
    scenario(
        name="constrained-gamma",
        question="Is gamma constrained after a step of training, and beta not?",
        layer=replace(TRAINED, gamma_constraint="non-negative"),
        steps=(Enclose(), Fit(X, DY), Call(X, FALSE)),
        settles=TRAINING,
        clauses=("BN-16.2", "BN-16.3"),
        sources=(KERAS, KERAS_CONSTRAINTS),
    ),
    scenario(
        name="constrained-beta",
        question="Is beta constrained after a step of training, and gamma not?",
        layer=replace(TRAINED, beta_constraint="non-negative"),
        steps=(Enclose(), Fit(X, DY), Call(X, FALSE)),
        settles=TRAINING,
        clauses=("BN-16.2", "BN-16.3"),
        sources=(KERAS, KERAS_CONSTRAINTS),
    ),
    scenario(
        name="constrained-in-batches",
        question="Do constraints hold before the next batch sees gamma and beta?",
        layer=CONSTRAINED,
        steps=(Enclose(), Fit(X, DY, batch_size=2, epochs=2)),
        settles=TRAINING,
        clauses=("BN-16.2",),
        sources=(KERAS, KERAS_CONSTRAINTS),
    ),
    scenario(
        name="constrained-without-a-step",
        question="Do constraints leave gamma and beta alone where nothing trains them?",
        layer=CONSTRAINED,
        steps=(Call(X, TRUE, DY), Call(X, FALSE)),
        settles=TRAINING,
        clauses=("BN-16.2",),
        sources=(KERAS, KERAS_CONSTRAINTS),
    ),
    scenario(
        name="constrained-and-frozen",
        question="Do constraints leave a frozen gamma alone in training?",
        layer=CONSTRAINED,
        steps=(Enclose(), SetTrainable(False), Fit(X, DY)),
        settles=("trainable-false-mode",),
        clauses=("BN-16.2", "BN-8.1"),
        sources=(KERAS, KERAS_CONSTRAINTS),
    ),
    scenario(
        name="weight-decay",
        question="Does weight decay draw gamma and beta towards zero, and nothing else?",
        layer=TRAINED,
        steps=(Enclose(), Fit(X, DY, weight_decay=0.5)),
        settles=TRAINING,
        clauses=("BN-16.4",),
        sources=(SGD, TORCH_MODULE, KERAS),
    ),
    scenario(
        name="weight-decay-of-still-statistics",
        question="Does weight decay leave running statistics that no batch moves?",
        layer=replace(TRAINED, decay=1.0),
        steps=(Enclose(), Fit(X, DY, batch_size=2, epochs=2, weight_decay=0.5)),
        settles=TRAINING,
        clauses=("BN-15.6", "BN-16.4"),
        sources=(SGD, TORCH_MODULE, KERAS),
    ),
    scenario(
        name="optimiser-and-still-statistics",
        question="Does an optimiser leave running statistics that no batch moves?",
        layer=replace(TRAINED, decay=1.0),
        steps=(Enclose(), Fit(X, DY, batch_size=2, epochs=2)),
        settles=TRAINING,
        clauses=("BN-15.6",),
        sources=(TORCH_MODULE, KERAS),
    ),
    scenario(
        name="initializers-of-constants",
        question="Do gamma, beta and the statistics each start as their own initializer says?",
        layer=INITIALIZED,
        steps=(Call(X, FALSE), Call(X, TRUE)),
        settles=("inference-output-statistics",),
        clauses=("BN-16.5",),
        sources=(KERAS, KERAS_INITIALIZERS, CONTRIB),
    ),
    scenario(
        name="initializers-of-ones-and-zeros",
        question="Do initializers of ones and zeros replace the defaults?",
        layer=replace(
            without_initial_state(TRAINED),
            gamma_initializer="zeros",
            beta_initializer="ones",
            running_mean_initializer="ones",
            running_variance_initializer="zeros",
        ),
        steps=(Call(X, TRUE), Call(X, FALSE)),
        settles=("running-variance-factor",),
        clauses=("BN-16.5",),
        sources=(KERAS, KERAS_INITIALIZERS, CONTRIB),
    ),
    scenario(
        name="initializers-of-gamma-and-beta-only",
        question="Do the statistics start at their defaults where gamma and beta are initialized?",
        layer=replace(
            without_initial_state(TRAINED), gamma_initializer=0.5, beta_initializer=-0.25
        ),
        steps=(Call(X, FALSE),),
        settles=("initial-running-mean", "initial-running-variance"),
        clauses=("BN-16.5",),
        sources=(KERAS, KERAS_INITIALIZERS, CONTRIB),
    ),
    scenario(
        name="initializers-that-draw",
        question="Does an initializer that draws do so once, within its interval?",
        layer=replace(
            without_initial_state(TRAINED),
            gamma_initializer="uniform",
            beta_initializer="uniform",
            running_variance_initializer="uniform",
        ),
        steps=(Call(X, FALSE), Call(X, TRUE), Call(X, FALSE)),
        settles=("initial-running-mean",),
        clauses=("BN-16.5",),
        sources=(KERAS, KERAS_INITIALIZERS, CONTRIB),
    ),
    scenario(
        name="initializers-act-once",
        question="Does training undo what initializers set, once and for all?",
        layer=INITIALIZED,
        steps=(Call(X, TRUE), Enclose(), Fit(X, DY), Call(X, FALSE)),
        settles=TRAINING,
        clauses=("BN-16.5",),
        sources=(KERAS, KERAS_INITIALIZERS, CONTRIB),
    ),
    scenario(
        name="initializers-after-restoring",
        question="Do initializers leave a state alone that a new layer is handed?",
        layer=INITIALIZED,
        steps=(Call(X, TRUE), Restore("memory"), Call(X, FALSE)),
        settles=("inference-output-statistics",),
        clauses=("BN-16.5", "BN-15.1"),
        sources=(KERAS, KERAS_INITIALIZERS, CONTRIB),
    ),
)
