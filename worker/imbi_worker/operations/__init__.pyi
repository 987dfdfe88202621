from imbi_worker.operations.reports import report

__all__ = ["report"]
