"""`imbi-worker plugins new`: a package to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from imbi_worker.cli.options import Json
from imbi_worker.cli.output import OK, Output
from imbi_worker.cli.session import run_here
from imbi_worker.operations.new_plugin import create_plugin


def new(
    slug: Annotated[str, typer.Argument(help="The plugin's slug, as rules will name it.")],
    *,
    directory: Annotated[
        Path | None,
        typer.Option(help="The directory to make; imbi-plugin-SLUG without it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a small working plugin package, with tests that pass at once."""
    output = Output(as_json=as_json)

    def work() -> int:
        made = create_plugin(slug, directory)
        if as_json:
            output.record(
                {"slug": made.slug, "directory": str(made.directory), "files": made.files}
            )
        else:
            output.text("\n".join(str(made.directory / name) for name in made.files))
            output.say(f"Test it: cd {made.directory} && python -m pytest")
        return OK

    run_here(work, output)
