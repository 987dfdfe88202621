"""Is a worker alive, and is it ready: the words for it, and the file that says it without a port.

Nothing but the standard library: `imbi-worker check --live` runs every few seconds in a pod.
"""

from imbi_worker.probes.health import Check, Health
from imbi_worker.probes.heartbeat import Heartbeat, NoHeartbeat

__all__ = ["Check", "Health", "Heartbeat", "NoHeartbeat"]
