from imbi_worker.cli.transfer.exporting import ExportOrder, export
from imbi_worker.cli.transfer.importing import ImportOrder, bring_in

__all__ = ["ExportOrder", "ImportOrder", "bring_in", "export"]
