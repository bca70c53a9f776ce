{{/* The directory of policies as a volume: every source in one place, changed by one swap of a symbolic link. */}}
{{- define "corsproc.policyVolume" -}}
- name: policies
  projected:
    sources:
      {{- if include "corsproc.ownPolicies" . }}
      - configMap:
          name: {{ include "corsproc.fullname" . }}-policies
      {{- end }}
      {{- range .Values.policies.existingConfigMaps }}
      - configMap:
          name: {{ . }}
      {{- end }}
      {{- range .Values.policies.existingSecrets }}
      - secret:
          name: {{ . }}
      {{- end }}
{{- end -}}

{{/* What serve is told, whichever way it listens. */}}
{{- define "corsproc.commonArgs" -}}
- --policies=/etc/corsproc/policies
- --admin-listen=:{{ .Values.admin.port }}
{{- with .Values.admin.hosts }}
- --admin-hosts={{ join "," . }}
{{- end }}
- --drain-timeout={{ .Values.drain.timeoutSeconds }}s
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every container of corsproc has. */}}
{{- define "corsproc.containerBody" -}}
image: {{ include "corsproc.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- $goMemLimit := include "corsproc.goMemLimit" . }}
{{- if or $goMemLimit .Values.extraEnv }}
env:
  {{- with $goMemLimit }}
  - name: GOMEMLIMIT
    value: {{ . }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
# A large set takes a while to compile; a set with an error ends the process at once, with every finding in its log.
startupProbe:
  httpGet: { path: /-/ready, port: admin }
  periodSeconds: 1
  failureThreshold: 120
# A set that cannot be taken up later does not make it unready: the last good one is in force.
readinessProbe:
  httpGet: { path: /-/ready, port: admin }
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /-/healthy, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/*
For a chart that has this one as a dependency, with mode: sidecar. The pod's initContainers take the first, its volumes
the second:

  {{ include "corsproc.sidecar.container" .Subcharts.corsproc | nindent 8 }}
  {{ include "corsproc.sidecar.volumes" .Subcharts.corsproc | nindent 8 }}

An init container that restarts: it is up before Envoy starts, and ends after it.
*/}}
{{- define "corsproc.sidecar.container" -}}
- name: corsproc
  restartPolicy: Always
  args:
    - serve
    - --listen=unix://{{ .Values.sidecar.socketDir }}/corsproc.sock
    - --socket-mode={{ .Values.sidecar.socketMode }}
    # It is told to end when Envoy has ended.
    - --drain-delay=0s
    {{- include "corsproc.commonArgs" . | nindent 4 }}
  ports:
    - { name: admin, containerPort: {{ .Values.admin.port }}, protocol: TCP }
  {{- include "corsproc.containerBody" . | nindent 2 }}
  # The pod is yours, so what it would have of corsproc's own pod stands here. Only fsGroup is left, which is the pod's.
  securityContext:
    {{- toYaml (merge (dict) .Values.securityContext (pick .Values.podSecurityContext "runAsNonRoot" "runAsUser" "runAsGroup" "seccompProfile")) | nindent 4 }}
  volumeMounts:
    - { name: policies, mountPath: /etc/corsproc/policies, readOnly: true }
    - { name: corsproc-socket, mountPath: {{ .Values.sidecar.socketDir }} }
{{- end -}}

{{- define "corsproc.sidecar.volumes" -}}
{{ include "corsproc.policyVolume" . }}
- name: corsproc-socket
  emptyDir: { sizeLimit: 1Mi }
{{- end -}}
