"""Chaos: real worker processes under kills, restarts and cuts, judged by a history of their own.

    producers -> proxy -> Valkey <- proxy <- pods (worker processes) <- storm (what goes wrong)
         |                                       |                        |
         +---------------> history <-------------+------------------------+
                              |
                           verdict

What the pods did stands in a file that they append to and that survives them; the verdict
compares it with what Redis says at the end. ``python -m chaos --help`` from ``tests/``.
"""
