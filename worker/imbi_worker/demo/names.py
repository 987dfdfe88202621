"""The names in the demo: its organization and projects, its handlers and integrations."""

from typing import Final

ORGANIZATION: Final = "tidewater"
HARBOR: Final = "harbor-api"
TIDES: Final = "tide-tables"
PILOTS: Final = "pilot-roster"
PROJECTS: Final = (HARBOR, TIDES, PILOTS)

NOTIFY: Final = "demo#notify"
HANG: Final = "demo#hang"
WORK: Final = "demo#work"

# Plugin ids in the graph; the last one has no credentials.
GITHUB: Final = "demo-github"
PAGERDUTY: Final = "demo-pagerduty"
SONARQUBE: Final = "demo-sonarqube"
