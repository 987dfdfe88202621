{{/* What all pods have in common; Pod Security "restricted" and a root that nobody writes. */}}

{{- define "imbi-worker.pod" -}}
serviceAccountName: {{ include "imbi-worker.serviceAccount" .root }}
automountServiceAccountToken: false
# A Service of ours would put IMBI_WORKER_*_PORT into the environment, which the worker refuses.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "imbi-worker.container" -}}
image: {{ include "imbi-worker.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "imbi-worker.initContainers" -}}
{{- $ours := include "imbi-worker.container" . | fromYaml -}}
{{- $tmp := list (dict "name" "tmp" "mountPath" "/tmp") -}}
{{- range .root.Values.initContainers }}
- {{ mergeOverwrite (deepCopy $ours) . (dict "volumeMounts" (concat $tmp (.volumeMounts | default list))) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{/* Where a pod goes; takes "part", the values of worker or dashboard. */}}
{{- define "imbi-worker.placement" -}}
{{- with .part.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "imbi-worker.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .root.Values.certificatesVolume }}
- {name: certificates, mountPath: /certificates, readOnly: true}
{{- end }}
{{- if and .root.Values.pluginsVolume (ne .component "check") }}
- {name: plugins, mountPath: /plugins, readOnly: true}
{{- end }}
{{- with .part.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "imbi-worker.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .root.Values.certificatesVolume }}
- name: certificates
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and .root.Values.pluginsVolume (ne .component "check") }}
- name: plugins
  {{- toYaml .root.Values.pluginsVolume | nindent 2 }}
{{- end }}
{{- with .part.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* One secret as a variable; takes "secret", "name", and "key" or "optional" where they differ. */}}
{{- define "imbi-worker.secretVariable" -}}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key | default .name }}{{ if .optional }}, optional: true{{ end }}}}
{{- end -}}

{{- define "imbi-worker.redisVariable" -}}
{{- include "imbi-worker.secretVariable" (dict "secret" (include "imbi-worker.secret" .) "name" "REDIS_URL" "key" (get .part "redisUrlKey" | default .q.redisUrlKey)) -}}
{{- end -}}

{{/* Who signs replays, or checks jobs. */}}
{{- define "imbi-worker.signingVariable" -}}
{{- $isOpen := eq (get .q.settings "IMBI_WORKER_ACCEPT_UNSIGNED" | toString) "true" -}}
{{- include "imbi-worker.secretVariable" (dict "secret" (include "imbi-worker.secret" .) "name" "IMBI_WORKER_SIGNING_KEY" "optional" $isOpen) -}}
{{- end -}}
