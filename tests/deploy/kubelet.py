"""As much of a kubelet as it takes to run the chart's pods as processes of this machine."""

import asyncio
import signal
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from charts import Document, environment

from waiting import until

COMMAND: Final = Path(sys.executable).with_name("imbi-worker")


def get(port: int, path: str, token: str = "") -> tuple[int, str]:
    """Status and text of a page of this machine."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Pod:
    """A pod's one container: its arguments, and no variable but those that it is given."""

    def __init__(
        self, documents: list[Document], spec: Document, secret: dict[str, str], folder: Path
    ) -> None:
        self._spec = spec
        (self._container,) = spec["containers"]
        self._log = folder / f"{self._container['name']}.log"
        self._environment = {"IMBI_WORKER_HEARTBEAT_FILE": str(folder / "heartbeat")}
        for name, value in environment(documents, spec).items():
            if value is not None:
                self._environment[name] = value
                continue
            (entry,) = (one for one in self._container["env"] if one["name"] == name)
            reference = entry["valueFrom"]["secretKeyRef"]
            if reference["key"] in secret:
                self._environment[name] = secret[reference["key"]]
            elif not reference.get("optional"):
                raise KeyError(reference["key"])

    async def start(self) -> None:
        with self._log.open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                COMMAND, *self._container["args"], env=self._environment, stdout=out, stderr=out
            )

    async def ended(self, within: float) -> int:
        return await asyncio.wait_for(self._process.wait(), within)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    async def alive(self) -> None:
        """Asks the probes that restart a pod, as Kubernetes would: the startup probe first."""
        for name in ("startupProbe", "livenessProbe"):
            await until(lambda name=name: self.passes(name), 60)

    async def ready(self) -> None:
        await self.alive()
        await until(lambda: self.passes("readinessProbe"), 60)

    def passes(self, name: str) -> bool:
        assert self._process.returncode is None, self.log()
        asked = self._container[name]["httpGet"]
        try:
            return get(self.port(asked["port"]), asked["path"])[0] == 200
        except OSError:
            return False

    def port(self, name: str) -> int:
        ports = self._container["ports"]
        return int(next(one["containerPort"] for one in ports if one["name"] == name))

    async def terminate(self) -> int:
        """The exit code, within what Kubernetes would wait; SIGKILL after that."""
        if self._process.returncode is not None:
            return self._process.returncode
        self._process.send_signal(signal.SIGTERM)
        try:
            return await self.ended(self._spec["terminationGracePeriodSeconds"])
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()
