"""What the tools read of the queue; nothing here writes.

Every list has an index that the scripts keep, so nothing scans Redis.
"""

from imbi_worker.queue.inspection.reader import Inspection

__all__ = ["Inspection"]
