"""In which dtypes a layer is given its input, computes, keeps its variables and answers.

Clauses BN-1.6 and BN-10.1 to BN-10.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference.bounded import Bounded
from reference.chosen import Conventions
from reference.rounding import Format, format_named, overflowed, stored
from suites.vocabulary import ABSENT, Absent, Layer

STATISTICS = ("running_mean", "running_variance")
RENORMALISING = {
    "renorm_mean": "running_mean",
    "renorm_deviation": "running_variance",
    "running_deviation": "running_variance",
}
"""What a renormalising layer may keep besides, by the statistic it starts like."""
PARAMETERS = ("gamma", "beta", "dgamma", "dbeta")
UNTYPED = ("updates_counted", "trainable_parameters", "loss")
GRADIENTS_OF_INPUT = ("dx", "second_dx")
LOW_PRECISION = ("float16", "bfloat16")
ANOTHER_DTYPE = "input-of-another-dtype"
MIXED = "mixed-precision-output"


@dataclass(frozen=True)
class LayerDtypes:
    """The dtypes of a layer under conventions.

    `statistics_kept_in` is the dtype that the running statistics keep where the layer was cast to
    another and they were not.
    """

    layer: Layer
    conventions: Conventions
    statistics_kept_in: str | None = None

    @property
    def own(self) -> Format:
        """Return the format of the layer."""
        return format_named(self.layer.dtype)

    @property
    def low_precision(self) -> bool:
        """Return whether the layer's dtype is narrower than float32."""
        return self.layer.dtype in LOW_PRECISION

    @property
    def given(self) -> Format:
        """Return the format of the input as it is given."""
        given = self.layer.input_dtype
        return self.own if isinstance(given, Absent) else format_named(given)

    @property
    def casts(self) -> bool:
        """Return whether the input has another dtype than the layer, or a policy names one."""
        return self.given != self.own or self.layer.policy is not ABSENT

    @property
    def handed(self) -> Format:
        """Return the format of the output, to which the input is cast before anything else.

        Clauses BN-10.1, BN-10.7 and BN-10.8.
        """
        policy = self.layer.policy
        if isinstance(policy, Absent):
            return self.given if self.promotes else self.own
        named = {
            "the policy's dtype": format_named(policy.removeprefix("mixed_")),
            "the input's dtype": self.given,
            "the layer's dtype": self.own,
        }
        return named[str(self.conventions[MIXED])]

    @property
    def promotes(self) -> bool:
        """Return whether an input of another dtype decides that of the output. Clause BN-10.8."""
        if self.layer.policy is not ABSENT or self.given == self.own:
            return False
        return self.conventions[ANOTHER_DTYPE] == "output in the input's dtype"

    @property
    def refuses_dtype(self) -> bool:
        """Return whether an input of this dtype is refused; not where a policy casts it."""
        if self.given == self.own:
            return False
        if self.layer.policy is not ABSENT and self.conventions[MIXED] != "the input's dtype":
            return False
        return self.conventions.has(ANOTHER_DTYPE, "refused")

    @property
    def narrow(self) -> Format | None:
        """Return the format narrower than float32 that the layer reads, or has; None without."""
        for form in (self.handed, self.own) if self.casts else (self.own,):
            if form.name in LOW_PRECISION:
                return form
        return None

    @property
    def form(self) -> Format:
        """Return the format the layer computes in. Clauses BN-1.6, BN-10.2, BN-10.7 and BN-10.8."""
        if self.layer.dtype == "float64":
            return format_named(str(self.conventions["float64-arithmetic"]))
        if self.narrow is None:
            return self.own
        wide = self.conventions["low-precision-arithmetic"] == "float32"
        return format_named("float32") if wide else self.narrow

    def low_format(self, axis: str) -> Format:
        """Return the layer's format, or float32 where it is narrower and the axis says so."""
        wide = self.low_precision and self.conventions[axis] == "float32"
        return format_named("float32") if wide else self.own

    def format_of(self, quantity: str) -> Format | None:
        """Return the format a quantity is stored and shown in; None for counts and the loss."""
        if quantity in UNTYPED:
            return None
        if quantity in STATISTICS or quantity in RENORMALISING:
            if self.statistics_kept_in is not None:
                return format_named(self.statistics_kept_in)
            return self.low_format("low-precision-statistics")
        if quantity in PARAMETERS:
            return self.low_format("low-precision-parameters")
        return self.given if quantity in GRADIENTS_OF_INPUT else self.handed

    def stored(self, quantity: str, value: Bounded) -> Bounded:
        """Return a quantity as it is stored: rounded once more where it may be narrower.

        The gradient to the input passes the dtype the input was cast to and ends in its own.
        Beyond the greatest number of the format there is infinity.
        """
        form = self.format_of(quantity)
        if form is None or not (self.low_precision or self.casts or self.statistics_kept_in):
            return value
        if quantity in GRADIENTS_OF_INPUT and self.handed.digits < form.digits:
            value = stored(value, self.handed)
        return overflowed(value, stored(value, form), form)

    def reads(self, dtype: str) -> Format | None:
        """Return the format a tensor of a dtype is rounded to when it is read, if it is.

        A float64 layer that computes in float32 rounds what it is given, as does one that casts
        its input to a narrower dtype.
        """
        if self.layer.dtype == "float64":
            return self.form
        narrows = self.casts and self.handed.digits < format_named(dtype).digits
        return self.handed if narrows else None
