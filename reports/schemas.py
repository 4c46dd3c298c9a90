"""Checking documents against the JSON Schemas beside this file."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

HERE = Path(__file__).parent


def first_problem(document: object, schema: str) -> tuple[tuple[str | int, ...], str] | None:
    """Return the place and the message of the plainest mistake in a document; None without one.

    `schema` is the name of the schema's file.
    """
    # Text that UTF-8 cannot hold is beyond the quick validator.
    with suppress(UnicodeEncodeError):
        if _quick(schema).is_valid(document):
            return None
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - slow, and rarely needed

    error = best_match(validator(schema).iter_errors(document))
    return None if error is None else (tuple(error.absolute_path), error.message)


@cache
def validator(schema: str) -> Any:
    """Return what checks documents against a schema; raises OSError where there is none."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow, and rarely needed

    return Draft202012Validator(json.loads((HERE / schema).read_text("utf-8")))


@cache
def _quick(schema: str) -> jsonschema_rs.Validator:
    """Return what tells within milliseconds whether anything is wrong, but not as well what."""
    return jsonschema_rs.validator_for(json.loads((HERE / schema).read_text("utf-8")))
