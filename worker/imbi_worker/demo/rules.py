"""The rules of a deployment, as an operator of Imbi writes them."""

import json
from typing import Final

from imbi_worker.builtin.add_deployment_event import HANDLER as ADD_EVENT
from imbi_worker.builtin.create_release import HANDLER as CREATE
from imbi_worker.builtin.publish_release import HANDLER as PUBLISH

_STATUS: Final = "/payload/deployment_status/state"
# Whatever body names a commit; null for those that do not, and for a branch that is gone.
_COMMIT: Final = """\
has(payload.deployment.sha) ? substring(payload.deployment.sha, 0, 7)
: has(payload.pull_request.head.sha) ? substring(payload.pull_request.head.sha, 0, 7)
: has(payload.check_run.head_sha) ? substring(payload.check_run.head_sha, 0, 7)
: has(payload.workflow_run.head_sha) ? substring(payload.workflow_run.head_sha, 0, 7)
: has(payload.after) && !payload.after.matches("^0+$") ? substring(payload.after, 0, 7)
: null"""
_TAG: Final = "has(payload.deployment.ref) ? payload.deployment.ref : null"

CREATE_RELEASE: Final = (
    CREATE,
    json.dumps(
        {
            "title_selector": "/type",
            "committish_expression": _COMMIT,
            "version_expression": _TAG,
        }
    ),
)
ADD_DEPLOYMENT_EVENT: Final = (
    ADD_EVENT,
    json.dumps(
        {
            "environment_selector": "/payload/deployment_status/environment",
            "committish_expression": _COMMIT,
            "version_expression": _TAG,
            "status_selector": _STATUS,
            "note_selector": "/payload/deployment_status/description",
            "external_run_id_selector": "/payload/deployment/id",
        }
    ),
)
PUBLISH_RELEASE: Final = (
    PUBLISH,
    json.dumps({"version_expression": _TAG, "status_selector": _STATUS}),
)
