"""Imbi's own API: how it is reached, and who its users are elsewhere."""

from imbi_worker.identity.api import ApiAddress as ApiAddress
from imbi_worker.identity.api import ApiClient as ApiClient
from imbi_worker.identity.sessions import Sessions as Sessions
from imbi_worker.identity.users import ImbiIdentity as ImbiIdentity
