# ruff: noqa: ANN001, ANN201, I002, T201 - what stands below the line goes into scripts as it is
# mypy: disable-error-code="no-untyped-def, no-untyped-call, var-annotated"
"""What every script says of what it observes; it runs wherever the framework runs."""

import sys

import numpy as np

# ----
steps = []
differing = []


def step(title):
    """Print what is done next."""
    steps.append(title)
    print("\n" + title)


def check(quantity, observed, expected, bound=0, dtype=None):
    """Print what is expected and what is observed, and whether they agree within the bound."""
    observed, expected = np.asarray(observed), np.array(expected, dtype="float64")
    agrees = observed.shape == expected.shape and dtype in (None, observed.dtype.name)
    if agrees:
        values = observed.astype("float64")
        with np.errstate(invalid="ignore"):
            error = np.abs(values - expected)
            within = np.isfinite(error) & (error <= bound)
        within |= (values == expected) | (np.isnan(values) & np.isnan(expected))
        within |= np.isfinite(expected) & np.isinf(bound)
        agrees = bool(within.all())
    say(quantity, agrees)
    show("expected", expected, dtype or "of any dtype")
    print(f"    within:   {np.array(bound).tolist()}")
    show("observed", observed, observed.dtype.name)


def unexpected(quantity, observed):
    """Print a quantity that should not be there."""
    say(quantity, agrees=False)
    print("    expected: nothing of the kind")
    show("observed", np.asarray(observed), np.asarray(observed).dtype.name)


def missing(quantity, expected):
    """Print a quantity that should be there."""
    say(quantity, agrees=False)
    show("expected", np.array(expected), "of any dtype")
    print("    observed: nothing of the kind")


def unjudged(quantity, observed):
    """Print a quantity of which nothing is expected."""
    print("  " + quantity)
    show("observed", np.asarray(observed), np.asarray(observed).dtype.name)


def exception(error, expected):
    """Print whether the framework raised an exception, and whether it should have."""
    say("an exception", expected is None or (error is not None) == expected)
    wanted = {None: "nothing is known", True: "one", False: "none"}
    print("    expected: " + wanted[expected])
    print("    observed: " + ("none" if error is None else repr(error)))


def say(what, agrees):
    """Print whether something agrees, and remember what does not."""
    print("  {} {}".format(what, "agrees" if agrees else "DIFFERS"))
    if not agrees:
        differing.append(f"the {what} after step {len(steps)}")


def show(what, array, dtype):
    """Print an array with every digit."""
    values = array if array.dtype.kind in "iub" else array.astype("float64")
    print(f"    {what}: {values.tolist()} {dtype}")


def finish():
    """Print the outcome and exit: 0 where everything agrees, 1 where something differs."""
    print("\nDiffering: " + ", ".join(differing) if differing else "\nEverything agrees.")
    sys.exit(1 if differing else 0)
