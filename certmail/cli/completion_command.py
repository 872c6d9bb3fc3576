"""``certmail completion SHELL``: the script with which a shell completes certmail's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from certmail.cli import plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_CERTMAIL_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS), metavar="bash|zsh|fish")
@plain_options.json_option
@click.pass_context
def completion(context: click.Context, /, shell: str, as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """Print the script with which a shell completes commands, options, files, codes and names.

    For you alone, write it to one of these places; it holds from the next shell on:

    \b
      bash  ~/.local/share/bash-completion/completions/certmail
      zsh   a file _certmail in a folder of $fpath, before compinit
      fish  ~/.config/fish/completions/certmail.fish
    """  # noqa: D301 - click reads the backspace as "leave these lines alone"
    script = script_for(shell, context.find_root().command)
    if as_json:
        echo_json("certmail.completion/1", shell=shell, script=script)
    else:
        click.echo(script.strip())


def script_for(shell: str, program: click.Command) -> str:
    """Give the script of one shell; it asks the program itself, so that it never grows old."""
    from click.shell_completion import ShellComplete, get_completion_class

    found: type[ShellComplete] | None = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    complete = found(program, {}, "certmail", VARIABLE)
    # The class for bash would run the bash that is here to ask for its version. The script may be
    # for another machine, and has been good since bash 4.4.
    return ShellComplete.source(complete)
