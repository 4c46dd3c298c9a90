"""A group of commands that answers an unknown one with the nearest."""

from __future__ import annotations

import click

from harness.implementations import known


class Commands(click.Group):
    """The group of subcommands; an unknown one is answered with the nearest."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand or say which one was meant."""
        known(arguments[0], self.list_commands(context), "command")
        return super().resolve_command(context, arguments)
