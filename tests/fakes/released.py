"""The argument-style fake as a framework called `tinynorm` releases it, changing as it goes.

It knows batches of vectors, in float32 and float64, and no renormalisation. Version 2 feeds the
running variance with the sample variance, and says so nowhere. Version 3 has no float64 any more.
"""

from __future__ import annotations

import tinynorm

from adapters.answers import NotExpressible
from tests.fakes.argument_style import NOT_EXPRESSIBLE as WITHOUT
from tests.fakes.argument_style import Program as Clean
from tests.fakes.plain_layer import values_per_channel

NOT_EXPRESSIBLE = WITHOUT
DTYPES = {"float32", "float64"}
UNKNOWN = {"input_dtype", "policy", "renorm", "virtual_batch_size"}
MAJOR = int(tinynorm.__version__.split(".")[0])


def versions():
    """Return the version that decides the behaviour."""
    return {"tinynorm": tinynorm.__version__}


class Layer(Clean.layer_class):
    """The layer of whatever version is installed."""

    def variance_for_running(self, variance, x):
        """Return what the running variance is fed."""
        n = values_per_channel(x)
        return variance if MAJOR < 2 or n == 1 else variance * n / (n - 1)


class Program(Clean):
    """The program of whatever version is installed."""

    layer_class = Layer

    def __init__(self, layer):
        if layer["rank"] != 2 or layer["dtype"] not in DTYPES or UNKNOWN & set(layer):
            raise NotExpressible("tinynorm knows plain layers of rank 2.")
        if MAJOR > 2 and layer["dtype"] == "float64":
            raise NotExpressible("tinynorm 3 has no float64.")
        super().__init__(layer)
