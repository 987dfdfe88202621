"""Imbi's own API: how it is reached, and who its users are elsewhere."""

from imbi_worker.identity.address import ApiAddress as ApiAddress
from imbi_worker.identity.api import ApiClient as ApiClient
from imbi_worker.identity.reply import Reply as Reply
from imbi_worker.identity.reply import Unanswered as Unanswered
from imbi_worker.identity.sessions import Sessions as Sessions
from imbi_worker.identity.users import ImbiIdentity as ImbiIdentity
