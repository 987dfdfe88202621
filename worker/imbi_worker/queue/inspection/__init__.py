"""What the tools read of the queue; nothing here writes.

Every list has an index that the scripts keep, so nothing scans Redis.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "asking": ("Client",),
        "reader": ("Inspection",),
        "views": ("JobView", "Page"),
    },
)
