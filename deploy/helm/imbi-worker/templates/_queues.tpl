{{/* The queues, as JSON: what each entry says over what stands at the top of the values. */}}
{{- define "imbi-worker.queues" -}}
{{- $top := pick .Values "existingSecret" "redisUrlKey" "queue" "settings" "worker" "dashboard" "autoscaling" -}}
{{- $queues := list -}}
{{- $names := dict -}}
{{- $addresses := dict -}}
{{- range .Values.queues | default (list dict) -}}
{{-   $q := mergeOverwrite (deepCopy $top) (deepCopy .) -}}
{{-   $_ := set $q "settings" ($q.settings | default dict) -}}
{{-   $what := ternary (printf "queue %s" $q.name) "the queue" (hasKey $q "name") -}}
{{-   include "imbi-worker.check" (dict "root" $ "q" $q "what" $what) -}}
{{-   $address := printf "%s/%s" $q.existingSecret $q.redisUrlKey -}}
{{-   if hasKey $addresses $address -}}
{{-     fail (printf "queues %s and %s read the same Redis address (key %s): one queue per Redis database, so give one of them another redisUrlKey or existingSecret" (get $addresses $address) $q.name $q.redisUrlKey) -}}
{{-   end -}}
{{-   if hasKey $names ($q.name | default "") -}}
{{-     fail (printf "two queues are named %s: names tell their Deployments apart" $q.name) -}}
{{-   end -}}
{{-   $_ := set $names ($q.name | default "") true -}}
{{-   $_ := set $addresses $address $q.name -}}
{{-   $queues = append $queues $q -}}
{{- end -}}
{{- $queues | toJson -}}
{{- end -}}

{{/* Refuses what a schema cannot see: values that do not go together. */}}
{{- define "imbi-worker.check" -}}
{{- $q := .q -}}
{{- $made := .root.Values.secretValues -}}
{{- if and $made $q.existingSecret -}}
{{-   fail (printf "%s: existingSecret and secretValues are both set: keep existingSecret" .what) -}}
{{- else if not (or $made $q.existingSecret) -}}
{{-   fail (printf "%s: existingSecret is empty: make a Secret with REDIS_URL, IMBI_AUTH_ENCRYPTION_KEY, IMBI_WORKER_SIGNING_KEY, NEO4J_PASSWORD and IMBI_WORKER_DASHBOARD_TOKENS, and name it there" .what) -}}
{{- end -}}
{{- $graph := get $q.settings "IMBI_WORKER_GRAPH" | default "neo4j" -}}
{{- if and (eq $graph "neo4j") (not (get $q.settings "NEO4J_URL")) -}}
{{-   fail (printf "%s: settings.NEO4J_URL is empty: name the graph, as in neo4j+s://graph.example.com:7687" .what) -}}
{{- end -}}
{{- $least := include "imbi-worker.leastGrace" $q | int -}}
{{- $given := $q.worker.terminationGracePeriodSeconds -}}
{{- if and $given (lt (int $given) $least) -}}
{{-   fail (printf "%s: worker.terminationGracePeriodSeconds is %d, but a drain of %d s needs %d: leave it out, or shorten worker.drainSeconds" .what (int $given) (int $q.worker.drainSeconds) $least) -}}
{{- end -}}
{{- $what := .what -}}
{{- range concat $q.worker.extraEnv $q.dashboard.extraEnv -}}
{{-   if regexMatch "^(IMBI_WORKER_|IMBI_AUTH_|ACTIONS_IMBI_|NEO4J_|REDIS_URL$|VALKEY_URL$|PORT$)" .name -}}
{{-     fail (printf "%s: extraEnv has %s, a setting of ours: write it under settings, or into the Secret if it is one" $what .name) -}}
{{-   end -}}
{{- end -}}
{{- include "imbi-worker.checkScaling" . -}}
{{- end -}}

{{- define "imbi-worker.checkScaling" -}}
{{- $scaling := .q.autoscaling -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{-   fail (printf "%s: autoscaling.minReplicas is above maxReplicas" .what) -}}
{{- end -}}
{{- if eq $scaling.kind "keda" -}}
{{-   $isApi := eq $scaling.keda.trigger "metrics-api" -}}
{{-   if and $isApi (not .q.dashboard.enabled) -}}
{{-     fail (printf "%s: the KEDA trigger metrics-api asks the dashboard: set dashboard.enabled, or autoscaling.keda.trigger to prometheus" .what) -}}
{{-   end -}}
{{-   if and (not $isApi) (not $scaling.keda.prometheus.serverAddress) -}}
{{-     fail (printf "%s: autoscaling.keda.prometheus.serverAddress is empty: name Prometheus, as in http://prometheus.monitoring:9090" .what) -}}
{{-   end -}}
{{- end -}}
{{- end -}}

{{/* The drain, the grace of actions after it, and time to write everything down. */}}
{{- define "imbi-worker.leastGrace" -}}
{{- add (int .worker.drainSeconds) (max 15 (add (int .worker.graceSeconds) 10)) -}}
{{- end -}}

{{/* The settings of a queue that are no secret, as YAML. */}}
{{- define "imbi-worker.settings" -}}
IMBI_WORKER_QUEUE: {{ .q.queue | quote }}
IMBI_WORKER_DRAIN: {{ printf "%ds" (int .q.worker.drainSeconds) }}
IMBI_WORKER_GRACE: {{ printf "%ds" (int .q.worker.graceSeconds) }}
IMBI_WORKER_METRICS_HOST: {{ .root.Values.listenAddress | quote }}
IMBI_WORKER_METRICS_PORT: {{ .q.worker.metricsPort | int | quote }}
{{- if .q.dashboard.enabled }}
IMBI_WORKER_DASHBOARD_HOST: {{ .root.Values.listenAddress | quote }}
IMBI_WORKER_DASHBOARD_PORT: {{ .q.dashboard.port | int | quote }}
IMBI_WORKER_DASHBOARD_METRICS_PORT: {{ .q.dashboard.metricsPort | int | quote }}
{{- end }}
{{- range $name, $value := .q.settings }}
{{- /* Helm reads every number as a float, and would write 6.7e+07. */}}
{{ $name }}: {{ ternary (printf "%d" (int64 $value)) (toString $value) (kindIs "float64" $value) | quote }}
{{- end }}
{{- end -}}
