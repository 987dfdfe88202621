"""Dead letters to files and back; loaded by the two commands that do it."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {"exporting": ("ExportOrder", "export"), "importing": ("ImportOrder", "bring_in")},
)
