from imbi_worker.cli.drawing.bars import progress
from imbi_worker.cli.drawing.canvas import Canvas
from imbi_worker.cli.drawing.sentences import filled
from imbi_worker.cli.drawing.sheet import Sheet

__all__ = ["Canvas", "Sheet", "filled", "progress"]
