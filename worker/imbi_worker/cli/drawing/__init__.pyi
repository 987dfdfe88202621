from imbi_worker.cli.drawing.canvas import Canvas

__all__ = ["Canvas"]
