"""Which dtype goes in, is computed in, is kept and comes out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from suites.inputs import TRAINED, batch, numbers, of_dtype, weights
from suites.sources import CONTRIB, KERAS, TORCH, TORCH_MODULE
from suites.vocabulary import Call, Cast, Dtype, Layer, Policy, Scenario, Tensor, Training

MIXED_PRECISION = "https://keras.io/api/mixed_precision/"
AUTOCAST = "https://docs.pytorch.org/docs/stable/amp.html"
TORCH_MIXED_INPUT = "https://github.com/pytorch/pytorch/pull/74410"
KERAS_OVERFLOW = "https://github.com/keras-team/keras-core/pull/412"
TORCH_OVERFLOW = "https://github.com/pytorch/pytorch/pull/126525"

scenario = partial(Scenario, suite="dtypes")
TRUE, FALSE = Training.TRUE, Training.FALSE
LEARNED = replace(TRAINED, epsilon=0.25)
STATE = ("gamma", "beta", "running_mean", "running_variance")
GRADIENTS = ("output", "dx", "dgamma", "dbeta", *STATE)


def beyond_float16(dtype: Dtype) -> Tensor:
    """Return an input of which the last channel has a variance of some million."""
    wide = tuple(128.0 * number for number in numbers("beyond float16", 6))
    values = [
        wide[i // 3] if i % 3 == 2 else value
        for i, value in enumerate(batch("beyond float16", 6).values)
    ]
    return Tensor(dtype, (6, 3), tuple(values))


def input_of(
    dtype: Dtype, layer_dtype: Dtype, mode: Training, rank: int = 2, *, gradients: bool = True
) -> Scenario:
    """Return the scenario of a layer given another dtype than its own."""
    word = "training" if mode is TRUE else "inference"
    key, samples = f"dtypes/{word}/{rank}", 5 if rank == 2 else 2
    layer = of_dtype(replace(LEARNED, rank=rank), layer_dtype)
    dy = weights(key, samples, rank, layer_dtype) if gradients else None
    ranked = "" if rank == 2 else f"-rank-{rank}"
    low = "16" in layer_dtype
    return scenario(
        name=f"{dtype}-input-to-{layer_dtype}-layer{ranked}-{word}",
        question=f"What does a {layer_dtype} layer make of {dtype} input in {word}, and which "
        "dtype comes out?",
        layer=replace(layer, input_dtype=dtype),
        steps=(Call(batch(key, samples, rank, dtype), mode, dy),),
        about=GRADIENTS if gradients else ("output", *STATE),
        settles=("input-of-another-dtype",),
        clauses=("BN-10.8", "BN-10.1" if low else "BN-10.7"),
        sources=(KERAS, TORCH_MIXED_INPUT, CONTRIB),
    )


def mixed(policy: Policy, mode: Training, given: Dtype | None = None) -> Scenario:
    """Return the scenario of a layer under a policy of mixed precision."""
    word = "training" if mode is TRUE else "inference"
    key = f"mixed/{word}"
    dtype: Dtype = given or ("float16" if policy == "mixed_float16" else "bfloat16")
    of = f"-on-{given}" if given else ""
    layer = replace(LEARNED, policy=policy)
    return scenario(
        name=f"{policy.replace('_', '-')}{of}-{word}",
        question=f"Under {policy}, what does {word} on {dtype} input put out, and in which dtypes "
        "are gradients and statistics?",
        layer=layer if given == "float32" else replace(layer, input_dtype=dtype),
        steps=(Call(batch(key, dtype=dtype), mode, weights(key)),),
        about=GRADIENTS,
        settles=("mixed-precision-output",),
        clauses=("BN-10.7",),
        sources=(MIXED_PRECISION, AUTOCAST),
    )


def beyond(name: str, question: str, layer: Layer, dtype: Dtype, settles: str) -> Scenario:
    """Return the scenario of a variance beyond 65504, in training and then in inference."""
    x = beyond_float16(dtype)
    return scenario(
        name=name,
        question=question,
        layer=layer,
        steps=(Call(x, TRUE), Call(x, FALSE)),
        about=("output", "running_mean", "running_variance"),
        settles=(settles,),
        clauses=("BN-10.6",) if layer.dtype == "float16" else ("BN-10.6", "BN-10.7"),
        sources=(KERAS_OVERFLOW, TORCH_OVERFLOW),
    )


def casting(name: str, question: str, layer: Layer, *steps: Call | Cast) -> Scenario:
    """Return the scenario of a layer cast to another dtype."""
    return scenario(
        name=name,
        question=question,
        layer=layer,
        steps=steps,
        about=("output", *STATE, "updates_counted"),
        settles=("statistics-of-a-cast-layer",),
        clauses=("BN-10.9",),
        sources=(TORCH_MODULE, TORCH),
    )


def trained(key: str, dtype: Dtype = "float32") -> Call:
    """Return a call in training."""
    return Call(batch(f"cast/{key}", dtype=dtype), TRUE)


def inferred(key: str, dtype: Dtype) -> Call:
    """Return a call in inference."""
    return Call(batch(f"cast/{key}", dtype=dtype), FALSE)


LARGE = replace(LEARNED, running_variance=Tensor("float32", (3,), (0.25, 4.0, 2.0**17)))

SCENARIOS = (
    input_of("float16", "float32", TRUE),
    input_of("float16", "float32", FALSE),
    input_of("float16", "float32", TRUE, 3),
    input_of("float16", "float32", TRUE, 4),
    input_of("bfloat16", "float32", TRUE),
    input_of("bfloat16", "float32", FALSE, 4),
    input_of("float64", "float32", TRUE),
    input_of("float64", "float32", FALSE),
    input_of("float32", "float16", TRUE, gradients=False),
    input_of("float32", "float16", FALSE),
    input_of("float32", "float64", TRUE),
    mixed("mixed_float16", TRUE),
    mixed("mixed_float16", FALSE),
    mixed("mixed_bfloat16", TRUE),
    mixed("mixed_float16", TRUE, "float32"),
    beyond(
        "variance-beyond-float16-in-a-float16-layer",
        "What becomes of a variance beyond 65504 in a float16 layer, and of inference after it?",
        of_dtype(LEARNED, "float16"),
        "float16",
        "low-precision-statistics",
    ),
    beyond(
        "variance-beyond-float16-of-float16-input",
        "Does a float32 layer keep a variance of float16 input that float16 could not hold?",
        replace(LEARNED, input_dtype="float16"),
        "float16",
        "input-of-another-dtype",
    ),
    beyond(
        "variance-beyond-float16-under-mixed-float16",
        "Does a layer under mixed precision keep a variance that float16 could not hold?",
        replace(LEARNED, input_dtype="float16", policy="mixed_float16"),
        "float16",
        "mixed-precision-output",
    ),
    *(
        scenario(
            name=f"{dtype}-rank-4-{word}",
            question=f"What does a {dtype} layer compute on images in {word}?",
            layer=of_dtype(replace(LEARNED, rank=4), dtype),
            steps=(
                Call(
                    batch(f"half/{word}", 2, 4, dtype),
                    mode,
                    # In bfloat16 the bound of a gradient summed over images is as wide as itself.
                    weights(f"half/{word}", 2, 4, dtype) if dtype == "float16" else None,
                ),
            ),
            about=GRADIENTS if dtype == "float16" else ("output", *STATE),
            settles=settles,
            clauses=("BN-10.1", "BN-10.2", "BN-10.5", "BN-7.1")
            if mode is TRUE
            else ("BN-10.1", "BN-10.5", "BN-7.4"),
            sources=(KERAS, TORCH),
        )
        for dtype in ("float16", "bfloat16")
        for word, mode, settles in (
            ("training", TRUE, ("low-precision-layer", "low-precision-parameters")),
            ("inference", FALSE, ("low-precision-layer",)),
        )
        if (dtype, word) != ("bfloat16", "inference")
    ),
    *(
        scenario(
            name=f"float64-second-order{'-rank-4' if rank == 4 else ''}",
            question=f"Is the gradient of a gradient of a rank-{rank} float64 layer right to the "
            "digits of float64?",
            layer=of_dtype(replace(LEARNED, rank=rank), "float64"),
            steps=(
                Call(
                    batch("second/64", samples, rank, "float64"),
                    TRUE,
                    weights("second/64", samples, rank, "float64"),
                    dx_weights=weights("second/64/u", samples, rank, "float64"),
                ),
            ),
            about=("output", "dx", "second_dx"),
            settles=("second-order-gradient", "float64-layer"),
            clauses=("BN-7.5", "BN-1.6"),
            sources=(KERAS, TORCH),
        )
        for rank, samples in ((2, 5), (4, 2))
    ),
    casting(
        "cast-to-float64",
        "Does casting a trained layer to float64 keep every value, and cast the statistics too?",
        LEARNED,
        trained("double"),
        Cast("float64"),
        inferred("double", "float64"),
    ),
    casting(
        "cast-to-float64-and-trained-on",
        "Does a layer cast to float64 train on from its statistics and its count?",
        LEARNED,
        trained("on/1"),
        Cast("float64"),
        trained("on/2", "float64"),
    ),
    casting(
        "cast-to-float16",
        "Does casting a trained layer to float16 round its statistics and leave its count whole?",
        LEARNED,
        trained("half"),
        Cast("float16"),
        inferred("half", "float16"),
    ),
    casting(
        "cast-to-bfloat16-and-trained-on",
        "Does a layer cast to bfloat16 train on from the rounded statistics and its whole count?",
        LEARNED,
        trained("brain/1"),
        Cast("bfloat16"),
        trained("brain/2", "bfloat16"),
    ),
    casting(
        "cast-to-float16-and-back",
        "Do the statistics stay rounded where a layer is cast to float16 and back?",
        LEARNED,
        trained("back"),
        Cast("float16"),
        Cast("float32"),
        inferred("back", "float32"),
    ),
    casting(
        "cast-to-float16-beyond-its-range",
        "What does inference put out after a cast to float16 that the running variance overflows?",
        LARGE,
        Cast("float16"),
        inferred("beyond", "float16"),
    ),
)
