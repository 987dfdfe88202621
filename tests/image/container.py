"""Runs an image's files as an engine would: its user, environment and command, a fixed root."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

# $1 is the root, $2 the user, $3 a folder for /plugins or nothing; then the command.
_ENTER = """
set -e
root=$1 user=$2 plugins=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
[ -z "$plugins" ] || mount --bind "$plugins" "$root/plugins"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" "$@"
"""


class Container:
    """A running process of the image; number 1 among its own."""

    def __init__(self, process: subprocess.Popen[str], image: "Image") -> None:
        self._process = process
        self._image = image

    @property
    def pid(self) -> int:
        """As this machine counts; raises IndexError until it runs."""
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        return int(children.split()[0])

    def status(self) -> str:
        """What the kernel says of the process."""
        return Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command beside it, as `docker exec` and health checks do."""
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--pid"]
        return self._image.call([*inside, *self._image.chroot, *command])

    def ended(self, within: float = 20) -> int:
        return self._process.wait(within)


class Image:
    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        self._root = root
        self.config = config
        self._stack = ExitStack()
        self.chroot = ["chroot", f"--userspec={config['User']}", str(root)]
        self._environment = dict(line.split("=", 1) for line in config["Env"])
        # An engine makes the places that it mounts at.
        (root / "plugins").mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self, settings: Mapping[str, str], log: Path, *, arguments: Sequence[str] = ()
    ) -> Container:
        """The image's entry point, with its own command unless *arguments* stand for it."""
        command = [*self.config["Entrypoint"], *(arguments or self.config["Cmd"])]
        out = self._stack.enter_context(log.open("w", encoding="utf-8"))
        process = subprocess.Popen(  # noqa: S603 - our own image
            [*self._unshare(), *command],
            env=self._environment | dict(settings),
            stdout=out,
            stderr=out,
            text=True,
        )
        self._stack.callback(process.wait, 20)
        # --kill-child: what runs in it goes with it.
        self._stack.callback(process.kill)
        return Container(process, self)

    def run(self, *command: str, plugins: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Another command than its own, to the end."""
        return self.call([*self._unshare(plugins), *command])

    def call(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own image
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def _unshare(self, plugins: Path | None = None) -> list[str]:
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        enter = ["bash", "-c", _ENTER, "enter", str(self._root), self.config["User"]]
        return [*spaces, *enter, os.fspath(plugins) if plugins else ""]
