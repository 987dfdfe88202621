"""The worker's settings, read from the environment once, at the start of a command.

Every ``IMBI_WORKER_*`` variable is a field of ``Settings`` and a line of the README's table; a name
that is not is refused with the nearest one that is. ``NAME_FILE`` reads the value of a secret
``NAME`` from a file.
"""

from imbi_worker.settings.environment import SettingsError
from imbi_worker.settings.fields import Settings, variables_of
from imbi_worker.settings.secrecy import shown_address

__all__ = ["Settings", "SettingsError", "shown_address", "variables_of"]
