"""Which statistics normalise an execution, and how gradients depend on them.

Clauses BN-1.2, BN-3.2, BN-6.1, BN-6.2 and BN-7.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference.bounded import Bounded
from reference.later import Quantities
from reference.moments import inverse_deviation, scaled, steepness
from reference.normalisation import Flow, Normaliser
from reference.program import Execution, Refusal
from reference.renormalisation import Correction, renormalised
from reference.renormalising import Renormalising
from reference.rounding import stored
from reference.updating import Batch


@dataclass(frozen=True)
class Statistics:
    """The mean and variance that normalise an execution, and the divisor of that variance.

    `of_batch` tells whether they are the batch's; `nonnegative` whether the computed variance
    cannot be negative.
    """

    mean: Bounded
    variance: Bounded
    divisor: float
    of_batch: bool = True
    nonnegative: bool = True


class Normalising(Renormalising):
    """A layer that knows by what each of its executions is normalised."""

    def by_running_statistics(self, execution: Execution) -> bool:
        """Tell whether running statistics normalise. Raises Refusal where there must be some."""
        return self.source(execution) != "batch"

    def source(self, execution: Execution) -> str:
        """Return which statistics normalise: the batch's, or running ones from when.

        Raises Refusal where inference without running statistics is refused. Clause BN-4.9.
        """
        training = execution.run == "training"
        if training and self.meaning.tracks:
            return str(self.conventions["training-output-statistics"])
        if training:
            return "batch"
        if self.meaning.tracks and not self.switches.tracking:  # Clause BN-4.12
            axis = "inference-with-tracking-switched-off"
            if self.conventions[axis] == "batch statistics":
                return "batch"
        kind = str(self.conventions["inference-output-statistics"])
        if kind == "batch" or self.meaning.tracks:
            return kind
        if self.conventions["no-running-statistics"] == "refused":
            raise Refusal
        return "batch"

    def corrects(self, execution: Execution) -> bool:
        """Tell whether an execution is renormalised. Clauses BN-12.1 and BN-12.9."""
        renormalises = self.meaning.renormalises and execution.run == "training"
        return renormalises and self.source(execution) == "batch"

    def normaliser(
        self,
        batch: Batch,
        execution: Execution,
        before: Quantities,
        after: Quantities,
        correct: Callable[[], Correction] | None = None,
    ) -> Normaliser:
        """Return what this execution normalises with, its gradient left open.

        `correct` gives what renormalisation makes of the normalised value.
        """
        found = self.statistics(batch, execution, before, after)
        placement = str(self.conventions["epsilon-placement"])
        inverse = inverse_deviation(
            found.variance,
            self.meaning.epsilon,
            placement,
            self.form,
            nonnegative=found.nonnegative,
        )
        narrow = self.meaning.narrow
        if narrow is not None and found.of_batch and self.moments_are_rounded():
            inverse = stored(inverse, narrow)
        names = [name for name in ("gamma", "beta") if name in before]
        learned = {name: self.read(name, before[name]) for name in names}
        plain = Normaliser(found.mean, inverse, learned.get("gamma"), learned.get("beta"))
        return plain if correct is None else renormalised(plain, correct(), self.form)

    def read(self, name: str, kept: Bounded) -> Bounded:
        """Return what is kept in a wider format as narrow arithmetic reads it. Clause BN-10.2."""
        narrow = self.meaning.narrow
        if narrow is None or self.form != narrow or self.meaning.format_of(name) == narrow:
            return kept
        return stored(kept, narrow)

    def statistics(
        self, batch: Batch, execution: Execution, before: Quantities, after: Quantities
    ) -> Statistics:
        """Return the mean and variance that normalise. Clauses BN-6.1, BN-6.2 and BN-3.2."""
        kind = self.source(execution)
        if kind != "batch":
            source = after if kind == "running after the update" else before
            names = ("running_mean", "running_variance")
            mean, variance = (self.read(name, source[name]) for name in names)
            return Statistics(mean, variance, batch.count, of_batch=False)
        moments, divisor = batch.moments, float(batch.count)
        variance = moments.variance
        if batch.weighting is not None:
            divisor = batch.weighting.divisor
        elif (
            execution.run == "training"
            and batch.count > 1
            and (self.conventions["training-output-variance"] == "sample")
        ):
            divisor -= 1
            variance = scaled(variance, batch.count / divisor, self.form)
        return Statistics(moments.mean, variance, divisor, nonnegative=moments.nonnegative)

    def flow(self, found: Statistics) -> Flow | None:
        """Return how the gradient depends on the statistics; None where they are constants."""
        axis = "training-gradient" if found.of_batch else "inference-gradient"
        if self.conventions[axis] != "through the batch statistics":
            return None
        if self.conventions["epsilon-placement"] != "outside the root":
            return Flow(found.divisor)
        steep = steepness(found.variance, self.meaning.epsilon, self.form)
        return Flow(found.divisor, steep)
