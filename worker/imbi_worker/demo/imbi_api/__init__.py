"""A stand-in for Imbi's API on loopback, for the demo, the tests and the benchmarks.

It keeps projects, releases with their deployments and users in memory, records every
request and misbehaves on demand. Under ``/service`` it also plays the third-party
service that the demo plugin talks to. Two bearer tokens: one for Imbi and the control
routes, one for the service.

Control routes, for a test in another process: ``POST`` and ``DELETE /_faults``,
``POST /_faults/release``, ``GET /_requests``, ``GET /_projects``.
"""

from imbi_worker.demo.imbi_api.faults import Fault as Fault
from imbi_worker.demo.imbi_api.faults import Faults as Faults
from imbi_worker.demo.imbi_api.releases import Release as Release
from imbi_worker.demo.imbi_api.requests import RecordedRequest as RecordedRequest
from imbi_worker.demo.imbi_api.server import ImbiApi as ImbiApi
