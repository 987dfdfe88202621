"""The sample deliveries that the demo enqueues: the same that plugin authors test with."""

from imbi_sdk.testing.deliveries import NAMES as NAMES
from imbi_sdk.testing.deliveries import Delivery as Delivery
from imbi_sdk.testing.deliveries import sample as sample
