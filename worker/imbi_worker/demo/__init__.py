"""The worker on show: a whole Imbi around it, in one process tree."""
