"""CEL, the language of rules' expressions, evaluated within bounds.

Rules are data: whoever may write one must not be able to stop the worker with it. By
itself cel-python 0.5 evaluates for as long as it takes, multiplies texts as Python does
and shows the event in its errors. Here an expression has a longest source, a deepest
nesting, a time and a size, and errors name places of the expression only.
"""

from imbi_worker.builtin.cel.expression import evaluate as evaluate
