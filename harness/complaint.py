"""The one exception that reaches a user: a sentence that says what to do, and an exit status."""

from __future__ import annotations


class Complaint(Exception):
    """Something the user can act on. Shown as one sentence, never as a traceback; exit status 2."""
