"""Whether a run whose outcome nobody knows may be repeated."""

from imbi_sdk.attempt.config import ConfigValidator, InvalidConfig
from imbi_sdk.webhook import ActionDescriptor


def is_idempotent(
    handler: str, descriptor: ActionDescriptor, config: str, configs: ConfigValidator
) -> bool:
    """What the action declares, for a rule with the text *config*.

    A config that is not valid may be repeated: the attempt ends before anything is
    called. A plugin's ``idempotent_when`` that fails has not said yes.
    """
    if descriptor.idempotent or descriptor.idempotent_when is None:
        return descriptor.idempotent
    try:
        return descriptor.idempotent_when(configs.validate(handler, descriptor, config)) is True
    except InvalidConfig:
        return True
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit):  # noqa: BLE001 - the plugin's code ends no worker
        return False
