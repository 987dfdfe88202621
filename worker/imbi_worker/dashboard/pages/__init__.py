"""Pages to look at: they show, the command line and the API change."""

from imbi_worker.dashboard.pages.routes import Pages

__all__ = ["Pages"]
