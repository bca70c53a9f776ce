{{- define "corsproc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains "corsproc" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-corsproc" (.Release.Name | trunc 43 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods; it cannot change while a Deployment lives. */}}
{{- define "corsproc.selectorLabels" -}}
app.kubernetes.io/name: corsproc
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels of an object: of a dict with "top", the root, and "more", further ones. Nothing beats the first. */}}
{{- define "corsproc.labels" -}}
{{- $top := .top -}}
{{- $labels := include "corsproc.selectorLabels" $top | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" ($top.Values.image.tag | default $top.Chart.AppVersion | trunc 63 | trimAll "-_.") -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "corsproc" -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $top.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $top.Chart.Name $top.Chart.Version | replace "+" "_") -}}
{{- merge $labels (get . "more" | default dict) $top.Values.commonLabels | toYaml -}}
{{- end -}}

{{- define "corsproc.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "corsproc.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "corsproc.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Whether there is a source of policies beside the chart's own ConfigMap; "" is no. */}}
{{- define "corsproc.foreignPolicies" -}}
{{- if or .Values.policies.existingConfigMaps .Values.policies.existingSecrets -}}yes{{- end -}}
{{- end -}}

{{/* Whether the chart writes a ConfigMap of policies: for files, or where there is no source at all. */}}
{{- define "corsproc.ownPolicies" -}}
{{- if or .Values.policies.files (not (include "corsproc.foreignPolicies" .)) -}}yes{{- end -}}
{{- end -}}

{{- define "corsproc.tlsSecretName" -}}
{{- if eq .Values.tls.source "certManager" -}}
{{- .Values.tls.secretName | default (printf "%s-tls" (include "corsproc.fullname" .)) -}}
{{- else -}}
{{- required "tls.source is secret: name it in tls.secretName" .Values.tls.secretName -}}
{{- end -}}
{{- end -}}

{{/* Nine tenths of the memory limit, for the Go runtime; nothing where it is not given in whole Mi or Gi. */}}
{{- define "corsproc.goMemLimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $limit -}}
{{- div (mul (trimSuffix "Mi" $limit | int64) 9) 10 -}}MiB
{{- else if regexMatch "^[0-9]+Gi$" $limit -}}
{{- div (mul (trimSuffix "Gi" $limit | int64) 9216) 10 -}}MiB
{{- end -}}
{{- end -}}
