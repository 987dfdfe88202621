from imbi_worker.cli.changes.controlling import Asked, carry_out

__all__ = ["Asked", "carry_out"]
