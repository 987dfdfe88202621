{{/* What things are called. A queue's templates take {"root": $, "q": the queue}. */}}

{{- define "imbi-worker.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The worker of a queue; one queue alone has no name of its own. */}}
{{- define "imbi-worker.worker" -}}
{{- $full := include "imbi-worker.fullname" .root -}}
{{- if .q.name -}}{{- printf "%s-%s" $full .q.name -}}{{- else -}}{{- $full -}}{{- end -}}
{{- end -}}

{{- define "imbi-worker.dashboard" -}}
{{- include "imbi-worker.worker" . -}}-dashboard
{{- end -}}

{{- define "imbi-worker.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "imbi-worker.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What Prometheus scrapes the pods of a queue as; monitoring.yaml makes it of their labels. */}}
{{- define "imbi-worker.job" -}}
{{- printf "%s/%s" .root.Release.Name (.q.name | default "default") -}}
{{- end -}}

{{/* The Secret of a queue: yours, or the one the chart makes of secretValues. */}}
{{- define "imbi-worker.secret" -}}
{{- default (include "imbi-worker.fullname" .root) .q.existingSecret -}}
{{- end -}}

{{- define "imbi-worker.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{- printf "%s@%s" .repository .digest -}}
{{- else -}}{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* On every pod of the release, whatever its part. */}}
{{- define "imbi-worker.release" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "imbi-worker.labels" -}}
{{ include "imbi-worker.release" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: imbi
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What selects the pods of one part of one queue; takes "component" as well. */}}
{{- define "imbi-worker.selector" -}}
{{ include "imbi-worker.release" .root }}
app.kubernetes.io/component: {{ .component }}
imbi-worker/queue: {{ .q.name | default "default" }}
{{- end -}}

{{/* Without the chart's version: a new chart alone is no reason to restart pods. */}}
{{- define "imbi-worker.podLabels" -}}
{{ include "imbi-worker.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: imbi
{{- with .part.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "imbi-worker.queueLabels" -}}
{{ include "imbi-worker.labels" .root }}
app.kubernetes.io/component: {{ .component }}
imbi-worker/queue: {{ .q.name | default "default" }}
{{- end -}}
