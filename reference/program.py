"""What a program of steps has switched so far: modes, freezing, compiling.

This is bookkeeping, not arithmetic: from the steps of a scenario and the conventions it answers
in which mode an execution runs and whether parameters and running statistics may move.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reference.axis import Value
from reference.chosen import Conventions
from reference.conventions import ONLY_FALSE
from suites.vocabulary import ABSENT, Enclose, Layer, Mode, Target, Training

Run = Literal["training", "inference"]
READ_BY_CALL = "trainable-read-by-call"


class Refusal(Exception):
    """Under the conventions in force, the implementation refuses this step."""


@dataclass(frozen=True)
class Execution:
    """One execution of the layer: its mode, and whether gamma and beta may learn in it."""

    run: Run
    statistics_move: bool
    trainable: bool


@dataclass
class Switches:
    """The switches of one program, changed by its steps."""

    layer: Layer
    conventions: Conventions
    trainable: bool = field(init=False)
    trainable_when_built: bool | None = None
    frozen_since_built: bool = False
    trainable_when_compiled: bool | None = None
    trainable_at_first_fit: bool | None = None
    remembered: Run | None = None
    enclosed: Enclose | None = None
    model_trainable: bool = True
    traced: dict[object, bool] = field(default_factory=dict)
    tracking: bool = True

    def __post_init__(self) -> None:
        """Start with the constructor's `trainable`."""
        self.trainable = self.layer.trainable is ABSENT or bool(self.layer.trainable)

    def build(self) -> None:
        """Note what `trainable` is when the layer's variables are created."""
        self.trainable_when_built = self.trainable
        self.frozen_since_built = not self.trainable

    def read_by_call(self, current: bool, call: object = None) -> bool:
        """Return whether an execution finds the layer trainable, which is now `current`.

        `call` is what a traced function knows a call by; None in a training loop. Clause BN-8.7.
        """
        built = self.trainable_when_built
        traced = current if call is None else self.traced.setdefault(call, current)
        possible = {
            "at every call": current,
            "when the layer was built": current if built is None else built,
            "when such a call was first traced": traced,
        }
        if len(set(possible.values())) == 1:
            return current
        return possible[str(self.conventions[READ_BY_CALL])]

    def compile(self) -> None:
        """Forget what the last compiled training loop knew, and take a fresh look if asked to."""
        self.trainable_when_compiled = self.trainable
        self.trainable_at_first_fit = None

    def compiled_anew(self) -> None:
        """Forget that a model was prepared for training: another takes its place."""
        self.trainable_when_compiled = self.trainable_at_first_fit = None

    def read_by_fit(self) -> bool:
        """Return whether a training loop started now finds the layer trainable. Clause BN-8.4."""
        if self.trainable_at_first_fit is None:
            self.trainable_at_first_fit = self.trainable
        compiled = self.trainable_when_compiled
        possible = {
            "at every fit": self.trainable,
            "at the first fit after compiling": self.trainable_at_first_fit,
            "when the model was compiled": self.trainable_at_first_fit
            if compiled is None
            else compiled,
        }
        if len(set(possible.values())) == 1:
            return self.trainable
        return possible[str(self.conventions["trainable-read-by-fit"])]

    def switch(self, run: Run) -> None:
        """Note the mode last switched to; `bare` asks whether the implementation remembers it."""
        self.remembered = run

    def set_trainable(self, value: bool, target: Target) -> None:
        """Freeze or unfreeze the layer, or the model and with it the layer."""
        if target == "model":
            unchanged = value == self.model_trainable
            self.model_trainable = value
            if unchanged and self.conventions["model-trainable-reaches-the-layer"] != "always":
                return
        self.trainable = value
        self.frozen_since_built = False

    def call(self, training: Training, mode: Mode, *shapes: tuple[int, ...]) -> Execution:
        """Return the execution of one call on inputs of these shapes."""
        called = (training, mode, shapes, self.enclosed is None)
        if mode == "is-true-test":
            training = Training.FALSE  # A tensor is never the object True, whatever it holds.
        fed = mode == "fed"
        asked = self.resolved("training-tensor", training) if fed else self.asked(training)
        if asked is not None:
            self.switch(asked)
        asked, _ = self.inside(asked, asked is None)
        return self.execution(
            asked or self.bare(), asked, self.read_by_call(self.trainable, called), self.trainable
        )

    def loop(self, run: Run) -> Execution:
        """Return the executions inside fit (`training`), evaluate or predict (`inference`)."""
        caller = run
        self.switch(run)
        asked, bare = self.inside(run, False)
        learning = self.read_by_fit() if run == "training" else self.trainable
        run = self.bare() if bare else asked or run
        found = self.read_by_call(learning)
        if caller == "training" and self.frozen_since_built:  # Clause BN-8.10
            learning = self.conventions["trainable-false-before-build"] != "as later"
        return self.execution(run, asked, found, learning)

    def inside(self, caller: Run | None, bare: bool) -> tuple[Run | None, bool]:
        """Return what a caller's mode has become where the model executes the layer.

        The second value tells whether the layer is executed as by a bare call.
        """
        model = self.enclosed
        if model is None:
            return caller, bare
        if model.training is not Training.ABSENT:
            return self.written_inside(model, caller, bare)
        if model.form == "without-training":
            axis = "model-without-a-training-argument"
            if self.conventions[axis] == "every execution is a bare call":
                return None, True
        return caller, bare

    def written_inside(
        self, model: Enclose, caller: Run | None, bare: bool
    ) -> tuple[Run | None, bool]:
        """Return the same for a model that writes a training argument of its own."""
        explicit = self.asked(model.training)
        kind = "functional" if model.form == "functional" else "subclassed"
        if explicit is None and kind == "subclassed":
            blocks = self.conventions["explicit-none-in-a-model"] == "as a bare call"
            return (None, True) if blocks else (caller, bare)
        wins = self.conventions[f"explicit-training-in-a-{kind}-model"] == "wins"
        return (explicit, False) if wins or caller is None else (caller, bare)

    def asked(self, training: Training) -> Run | None:
        """Return the mode a training argument asks for; None where it leaves the choice open."""
        if training is Training.NONE:
            return self.resolved("training-none", Training.ABSENT)
        if training in (Training.ZERO, Training.ONE):
            boolean = Training.TRUE if training is Training.ONE else Training.FALSE
            return self.resolved("training-integer", boolean)
        known: dict[Training, Run] = {Training.TRUE: "training", Training.FALSE: "inference"}
        return known.get(training)

    def resolved(self, axis: str, like: Training) -> Run | None:
        """Return what an unusual training argument means under the axis that governs it."""
        value = self.conventions[axis]
        if value == "refused":
            raise Refusal
        if value == ONLY_FALSE and like is Training.TRUE:
            raise Refusal
        runs: dict[Value, Run] = {"training": "training", "inference": "inference"}
        return runs[value] if value in runs else self.asked(like)

    def bare(self) -> Run:
        """Return the mode of a call that does not say which."""
        if self.remembered is not None and self.conventions["mode-memory"] != "none":
            return self.remembered
        return "training" if self.conventions["bare-call"] == "training" else "inference"

    def execution(self, run: Run, asked: Run | None, trainable: bool, learning: bool) -> Execution:
        """Apply freezing to a mode; `learning` tells whether gamma and beta are frozen."""
        if trainable:
            return Execution(run, self.model_lets_move(run), trainable=learning)
        mode = self.conventions["trainable-false-mode"]
        if mode == "inference even with training=True" or (
            mode == "inference unless training=True" and asked != "training"
        ):
            run = "inference"
        moving = run == "training" and (
            self.conventions["trainable-false-statistics"] == "still move in training"
        )
        return Execution(run, moving and self.model_lets_move(run), trainable=learning)

    def model_lets_move(self, run: Run) -> bool:
        """Return whether the model around the layer lets its statistics move. Clause BN-8.8."""
        frozen = self.enclosed is not None and not self.model_trainable
        if run == "inference" or not frozen:
            return True
        return self.conventions["statistics-inside-a-frozen-model"] == "move with the layer"

    def parameters_move(self, execution: Execution) -> bool:
        """Return whether gamma and beta receive gradients in this execution."""
        if not self.counts_as_trainable(execution.trainable):
            return False
        learning = execution.run == "training"
        return learning or self.conventions["eval-mode-parameters"] == "still learn"

    def counts_as_trainable(self, trainable: bool) -> bool:
        """Return whether gamma and beta count as trainable for a layer frozen or not."""
        return trainable or self.conventions["trainable-false-parameters"] == "still learn"
