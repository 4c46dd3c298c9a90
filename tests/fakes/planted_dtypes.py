"""Faults about dtypes: what is given, computed in, kept and put out, and what a cast casts."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.fakes import argument_style, switch_style
from tests.fakes.fault import fault
from tests.fakes.plain_layer import PlainLayer
from tests.fakes.planted_values import RUNNING, narrow

FAULTS = {}
argument = partial(fault, FAULTS, "argument")
switch = partial(fault, FAULTS, "switch")


@switch("counter-cast-with-the-layer", "Casting the layer casts the count of updates too.")
class CounterCastWithTheLayer(switch_style.Program):
    def cast(self, dtype):
        super().cast(dtype)
        self.bn.updates_counted = self.dtype.type(self.bn.updates_counted)


@switch("cast-towards-zero", "Casting to a narrower dtype cuts digits off instead of rounding.")
class CastTowardsZero(switch_style.Program):
    def cast(self, dtype):
        held = {name: getattr(self.bn, name) for name, _ in self.initial}
        super().cast(dtype)
        for name, old in held.items():
            near = getattr(self.bn, name).astype(self.dtype)
            down = np.nextafter(near, np.zeros_like(near)) if self.dtype != "bfloat16" else near
            beyond = np.abs(near.astype(float)) > np.abs(old.astype(float))
            setattr(self.bn, name, np.where(beyond, down, near).astype(self.arithmetic))


@switch("cast-resets-the-statistics", "Casting the layer puts its running statistics back.")
class CastResetsTheStatistics(switch_style.Program):
    def cast(self, dtype):
        counted = self.bn.updates_counted
        super().cast(dtype)
        self.bn.reset_statistics()
        self.bn.updates_counted = counted


@switch("gamma-not-cast", "Casting the layer leaves gamma in the dtype it was made in.")
class GammaNotCast(switch_style.Program):
    def storage(self, name):
        return np.dtype(self.layer["dtype"]) if name == "gamma" else super().storage(name)


@switch("half-input-answered-in-float32", "Inference on half-precision input puts out float32.")
class HalfInputAnsweredInFloat32(switch_style.Program):
    def dtype_of_output(self):
        given = super().dtype_of_output()
        if not self.training and narrow(given) and not narrow(self.dtype):
            return np.dtype("float32")
        return given

    def dtype_read(self):
        return self.dtype_given()


class KeptLikeTheInput:
    """Keeps running statistics in the dtype of the input."""

    def storage(self, name):
        return self.dtype_given() if name in RUNNING else super().storage(name)


@switch("statistics-kept-like-the-input", "The running statistics take the dtype of the input.")
class StatisticsKeptLikeTheInput(KeptLikeTheInput, switch_style.Program):
    pass


@argument(
    "statistics-rounded-like-the-input",
    "The running statistics are rounded to the input's dtype on their way, and keep their own.",
)
class StatisticsRoundedLikeTheInput(argument_style.Program):
    def store(self):
        super().store()
        for name in RUNNING:
            value = getattr(self.bn, name)
            setattr(self.bn, name, value.astype(self.dtype_given()).astype(value.dtype))


@argument("gradient-in-the-layers-dtype", "The gradient to the input has the layer's dtype.")
class GradientInTheLayersDtype(argument_style.Program):
    def as_gradient(self, x):
        return super().as_gradient(x).astype(self.dtype)


@switch(
    "dgamma-rounded-like-the-input",
    "The gradient to gamma is summed in the dtype of the input and shown in its own.",
)
class DgammaRoundedLikeTheInput(switch_style.Program):
    def backward(self, execution, dy):
        found = super().backward(execution, dy)
        if "dgamma" in found:
            own = found["dgamma"].dtype
            found["dgamma"] = found["dgamma"].astype(self.dtype_given()).astype(own)
        return found


class HalfMoments(PlainLayer):
    half = None

    def batch_statistics(self, x):
        moments = super().batch_statistics(x)
        if self.half is None:
            return moments
        with np.errstate(over="ignore"):
            return tuple(each.astype(self.half).astype(x.dtype) for each in moments)


@argument(
    "mixed-moments-in-half",
    "Under mixed precision the mean and variance of a batch are rounded to half precision.",
)
class MixedMomentsInHalf(argument_style.Program):
    layer_class = HalfMoments

    def construct(self, layer):
        bn = super().construct(layer)
        bn.half = layer["policy"][len("mixed_") :] if "policy" in layer else None
        return bn


@argument(
    "mixed-gradients-in-half",
    "Under mixed precision the gradients to gamma and beta are in half precision.",
)
class MixedGradientsInHalf(argument_style.Program):
    def gradients(self, execution, dy):
        seen = super().gradients(execution, dy)
        if "policy" not in self.layer:
            return seen
        half = self.dtype_of_output()
        return {name: each.astype(half) if name != "dx" else each for name, each in seen.items()}


@argument(
    "half-variance-cut-off-at-its-greatest",
    "A running variance beyond float16 is kept at the greatest number instead of infinity.",
)
class HalfVarianceCutOff(argument_style.Program):
    def store(self):
        if self.dtype == "float16":
            self.bn.running_variance = np.minimum(self.bn.running_variance, 65504)
        super().store()


@switch("infinite-variance-gives-nan", "Inference by an infinite running variance puts out NaN.")
class InfiniteVarianceGivesNaN(switch_style.Program):
    def run(self, x, requested, updates="documented"):
        execution = super().run(x, requested, updates)
        if not requested:
            execution.output[..., np.isinf(execution.variance)] = np.nan
        return execution


@argument("second-gradient-in-float32", "A float64 layer computes its second gradient in float32.")
class SecondGradientInFloat32(argument_style.Program):
    def second_gradient(self, execution, dy, dx_weights):
        return (
            super().second_gradient(execution, dy, dx_weights).astype("float32").astype(self.dtype)
        )


@argument(
    "half-images-computed-in-half", "A float16 layer computes on images in float16, not in float32."
)
class HalfImagesComputedInHalf(argument_style.Program):
    def canonical(self, x):
        given = super().canonical(x)
        return given.astype(self.dtype) if self.dtype == "float16" and x.ndim == 4 else given
