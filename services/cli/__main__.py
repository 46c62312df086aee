"""The operators' command: `veche VERB`. Each verb is a file beside this one, loaded when used.

Exit codes: 0 done, 1 refused or failed (one sentence on standard error says what to do), 2 usage,
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys

import click

from services.core.errors import VecheError

VERBS = {
    "up": "services.cli.up:up",
    "migrate": "services.cli.migrate:migrate",
    "topics": "services.cli.topics:topics",
    "moderate": "services.cli.moderate:moderate",
    "token": "services.cli.token:token",
    "secrets": "services.cli.secrets:secrets",
    "model": "services.cli.model:model",
    "replay": "services.cli.replay:replay",
    "rebuild": "services.cli.rebuild:rebuild",
    "dump": "services.cli.dump:dump",
    "partitions": "services.cli.partitions:partitions",
    "rules": "services.cli.rules:rules",
    "dead-letters": "services.cli.dead_letters:dead_letters",
}


class Verbs(click.Group):
    """Imports a verb's module only when it is named (or all, for `--help`)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in VERBS if self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name].partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            return None
        return found if isinstance(found, click.Command) else None


@click.command(cls=Verbs)
@click.version_option(package_name="veche", message="%(version)s")
def veche() -> None:
    """Comment moderation and rating for news portals."""


def main() -> None:
    try:
        veche(prog_name="veche", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (VecheError, OSError) as error:
        click.secho(f"veche: {error}", fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
