"""The statements of a script that hold what is observed against what is expected."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from harness.reproduction.expected import StepExpectation
from harness.reproduction.literals import expected_expression, expression, uniform_or_nested
from harness.words import quantity_in_words

FUNCTIONS = (
    "step",
    "check",
    "unexpected",
    "missing",
    "unjudged",
    "exception",
    "say",
    "show",
    "finish",
)
RESERVED = {"np", "os", "sys", "differing", "steps", *FUNCTIONS}


def statement(function: str, *arguments: ast.expr, **keywords: ast.expr) -> ast.stmt:
    """Return the call of one of the script's own functions."""
    named = [ast.keyword(name, value) for name, value in keywords.items()]
    return ast.Expr(ast.Call(ast.Name(function, ast.Load()), list(arguments), named))


def check(
    quantity: str, observed: ast.expr, expectation: StepExpectation, *, widened: bool = False
) -> ast.stmt:
    """Return the check of one quantity; the dtype of a `widened` one says nothing."""
    wanted = expectation.of(quantity)
    name = ast.Constant(quantity_in_words(quantity))
    if not wanted.judged:
        return statement("unjudged", name, observed)
    if wanted.bounded is None:
        return statement("unexpected", name, observed)
    keywords = {"expected": expected_expression(wanted.bounded.value)}
    if wanted.bounded.bound.any():
        keywords["bound"] = uniform_or_nested(wanted.bounded.bound)
    if wanted.dtype is not None and not widened:
        keywords["dtype"] = ast.Constant(wanted.dtype)
    return statement("check", name, observed, **keywords)


def lacking(expectation: StepExpectation, observed: Iterable[str]) -> Iterator[ast.stmt]:
    """Yield the statements about quantities that should have been observed, and were not."""
    for quantity, wanted in expectation.quantities.items():
        if quantity not in observed and wanted.bounded is not None:
            value = expected_expression(wanted.bounded.value)
            yield statement("missing", ast.Constant(quantity_in_words(quantity)), value)


def guarded(
    statements: list[ast.stmt],
    expectation: StepExpectation,
    *,
    refused: bool,
    error: str = "error",
) -> list[ast.stmt]:
    """Return statements that observe whether the framework raises, where that is the question.

    `error` is what the framework raised, given what was caught.
    """
    if not refused and not expectation.refused:
        return statements
    expected = ast.Constant(expectation.refused if expectation.judged else None)
    caught = statement("exception", expression(error), expected=expected)
    handler = ast.ExceptHandler(expression("Exception"), "error", [caught])
    otherwise = statement("exception", ast.Constant(None), expected=expected)
    return [ast.Try(statements or [ast.Pass()], [handler], [otherwise], [])]
