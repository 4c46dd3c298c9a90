"""Arrays and numbers as literals that give back every bit."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def expression(source: str) -> ast.expr:
    """Return the expression that a text is."""
    return ast.parse(source, mode="eval").body


def number_source(value: Any) -> str:
    """Return the shortest literal of one number of an array, exact in its dtype."""
    if isinstance(value, np.bool_ | np.integer):
        return repr(value.item())
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    return repr(float(str(value)))


def nested(array: Array) -> ast.expr:
    """Return the nested lists of an array, or the one number of one without dimensions."""
    if array.ndim == 0:
        return expression(number_source(array[()]))
    return ast.List([nested(part) for part in array], ast.Load())


def array_expression(array: Array) -> ast.expr:
    """Return an expression for an array: its dtype, its shape and every bit of its values."""
    dtype = array.dtype.name
    if array.size == 0:
        return expression(f"np.zeros({array.shape}, dtype={dtype!r})")
    if array.ndim == 0:
        return ast.Call(expression(f"np.{dtype}"), [nested(array)], [])
    keyword = ast.keyword("dtype", ast.Constant(dtype))
    return ast.Call(expression("np.array"), [nested(array)], [keyword])


def uniform_or_nested(array: Array) -> ast.expr:
    """Return one number where all are the same, else the nested lists; for float64 arrays."""
    if array.size and np.all(array == array.flat[0]):
        return expression(number_source(array.flat[0]))
    return expected_expression(array)


def expected_expression(array: Array) -> ast.expr:
    """Return the nested lists of a float64 array; an array where there are no values to list."""
    return array_expression(array) if array.size == 0 else nested(array)
