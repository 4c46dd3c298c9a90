"""How each verdict is shown: a symbol, its word, a tone, and what it means.

The words are those of the results schema. A tone only tints; symbol and word carry the meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "doubt", "none"]


@dataclass(frozen=True)
class Appearance:
    """A verdict's symbol (a text character every system font has), tone and meaning."""

    symbol: str
    tone: Tone
    meaning: str


VERDICTS = {
    "conforms": Appearance(
        "✓", "good", "Every step agrees with the reference under the declared conventions."
    ),
    "differs": Appearance(
        "≠", "bad", "A quantity is further from the reference than rounding explains."
    ),
    "refused": Appearance("⊘", "bad", "The framework raised an error where it declares an answer."),
    "should have refused": Appearance(
        "!", "bad", "The framework answered where it declares to raise an error."
    ),
    "undetermined": Appearance(
        "?", "doubt", "The rounding-error bound is too wide to tell the rivals apart."
    ),
    "unstable": Appearance(
        "≈", "doubt", "Repeating the same program gave different answers, not all of them right."
    ),
    "adapter error": Appearance(
        "⚑", "doubt", "The suite's own adapter failed; it says nothing about the framework."
    ),
    "not expressible": Appearance("–", "none", "The framework has no way to say this program."),
    "crashed": Appearance("✕", "bad", "The process was killed by a signal."),
    "timed out": Appearance("◷", "bad", "The program did not end in the time given."),
    "unavailable": Appearance("○", "none", "There is no environment for this implementation."),
    "did not run": Appearance("·", "doubt", "Nothing was measured; this is never a pass."),
}
