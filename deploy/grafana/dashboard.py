#!/usr/bin/env python3
"""Prints the chart's Grafana dashboard.

    deploy/grafana/dashboard.py >deploy/helm/imbi-worker/files/dashboard.json

``rows.py`` says what is shown; Grafana's JSON follows from it here, so that no panel lacks a
unit, a sentence or the variable of its datasource.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from panels import Kind, Panel
from queries import WORKER
from rows import ROWS

Json: TypeAlias = dict[str, Any]

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH: Final = 24
_HEIGHTS: Final[Mapping[Kind, int]] = {"stat": 4, "timeseries": 8, "table": 8}


def dashboard() -> Json:
    """The whole of it, as Grafana imports it."""
    return {
        "uid": "imbi-worker",
        "title": "imbi-worker",
        "description": "Queues, plugins and workers of imbi-worker, printed by deploy/grafana.",
        "tags": ["imbi"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables())},
        "annotations": {"list": [_firing()]},
        "panels": list(_panels()),
    }


def _variables() -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }
    for name, label, query in (
        ("namespace", "Namespace", "label_values(imbi_queue_up, namespace)"),
        ("job", "Job", 'label_values(imbi_queue_up{namespace=~"$namespace"}, job)'),
        ("queue", "Queue", f"label_values(imbi_queue_up{{{WORKER}}}, queue)"),
        ("plugin", "Plugin", f"label_values(imbi_worker_attempts_total{{{WORKER}}}, plugin)"),
    ):
        yield {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            # Also where a label is missing, as the namespace outside Kubernetes.
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


def _firing() -> Json:
    """A mark on every graph while one of our alerts fires."""
    return {
        "name": "Alerts that fire",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "red",
        "target": {
            "refId": "Anno",
            "datasource": _SOURCE,
            "expr": f'ALERTS{{alertname=~"Imbi.+", alertstate="firing", {WORKER}}}',
            "interval": "60s",
        },
        "titleFormat": "{{alertname}}",
        "textFormat": "{{job}} {{queue}} {{plugin}}",
    }


def _panels() -> Iterator[Json]:
    number, top = 0, 0
    for row, panels in ROWS.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1},
        }
        left, top, tallest = 0, top + 1, 0
        for panel in panels:
            number += 1
            if left + panel.width > _WIDTH:
                left, top, tallest = 0, top + tallest, 0
            height = _HEIGHTS[panel.kind]
            place = {"x": left, "y": top, "w": panel.width, "h": height}
            yield {"id": number, "gridPos": place, **_drawn(panel)}
            left, tallest = left + panel.width, max(tallest, height)
        top += tallest


def _drawn(panel: Panel) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + nth),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "range": panel.kind != "table",
                "instant": panel.kind == "table",
                "format": "table" if panel.kind == "table" else "time_series",
            }
            for nth, (legend, expression) in enumerate(panel.shows.items())
        ],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        **_LOOKS[panel.kind],
    }


def _field(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.red is not None:
        steps.append({"color": "red", "value": panel.red})
    field: Json = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
    }
    if panel.kind == "timeseries":
        field["custom"] = {
            "fillOpacity": 30 if panel.is_stacked else 10,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.red is None else "dashed"},
        }
    return field


_LOOKS: Final[Mapping[Kind, Json]] = {
    "stat": {
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "area",
        }
    },
    "timeseries": {
        "options": {
            "legend": {
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
                "calcs": [],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    },
    "table": {
        "options": {"showHeader": True, "sortBy": [{"displayName": "slug", "desc": False}]},
        "transformations": [
            {
                "id": "organize",
                "options": {"excludeByName": {"Time": True}, "renameByName": {"Value": "workers"}},
            }
        ],
    },
}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=2) + "\n")
