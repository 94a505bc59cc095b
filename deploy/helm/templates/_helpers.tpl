{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters, to leave room for the longest suffix and the pod's. */}}
{{- define "exporter.fullname" -}}
{{- $name := include "exporter.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The labels of an object, merged with those of the values. Takes a list: context, labels. */}}
{{- define "exporter.labelsWith" -}}
{{- toYaml (merge (dict) (index . 1) (include "exporter.labels" (index . 0) | fromYaml)) }}
{{- end }}

{{- define "exporter.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* "true" if there is more than one pod, else empty. The same holds for the others below. */}}
{{- define "exporter.sharded" -}}
{{- if gt (int .Values.sharding.count) 1 }}true{{ end }}
{{- end }}

{{/* The service of shards is headless, because one with an address would answer with any of them. */}}
{{- define "exporter.serviceName" -}}
{{- include "exporter.fullname" . }}{{ if include "exporter.sharded" . }}-headless{{ end }}
{{- end }}

{{/* A headless service does not translate ports. */}}
{{- define "exporter.servicePort" -}}
{{- ternary 9977 .Values.service.port (eq (include "exporter.sharded" .) "true") }}
{{- end }}

{{/* The Secret with web.yml, or nothing. */}}
{{- define "exporter.webSecret" -}}
{{- with .Values.webConfig }}
{{- if .existingSecret }}
{{- .existingSecret }}
{{- else if .data }}
{{- printf "%s-web" (include "exporter.fullname" $) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "exporter.tls" -}}
{{- if or .Values.webConfig.tls .Values.webConfig.data.tls_server_config }}true{{ end }}
{{- end }}

{{/* Whether client certificates are required. Probes have none. */}}
{{- define "exporter.clientCertificates" -}}
{{- with .Values.webConfig.data.tls_server_config }}
{{- if hasPrefix "Require" (default "" .client_auth_type) }}true{{ end }}
{{- end }}
{{- end }}

{{- define "exporter.authenticated" -}}
{{- if or .Values.webConfig.authentication .Values.webConfig.data.basic_auth_users (include "exporter.clientCertificates" .) }}true{{ end }}
{{- end }}

{{/* Checks that the schema cannot express. */}}
{{- define "exporter.validate" -}}
{{- with .Values }}
{{- if and .config .existingConfigMap }}
{{- fail "config and existingConfigMap are both set: which one counts?" }}
{{- end }}
{{- if and .demo (or .config .existingConfigMap) }}
{{- fail "demo runs without a configuration: unset config and existingConfigMap" }}
{{- end }}
{{- if not (or .config .existingConfigMap .demo) }}
{{- fail "nothing to poll: set config with at least one target, existingConfigMap, or demo: true" }}
{{- end }}
{{- if and .secret.data .existingSecret }}
{{- fail "secret.data and existingSecret are both set: which one counts?" }}
{{- end }}
{{- if and .webConfig.data .webConfig.existingSecret }}
{{- fail "webConfig.data and webConfig.existingSecret are both set: which one counts?" }}
{{- end }}
{{- if and .webConfig.tlsSecret (not (include "exporter.webSecret" $)) }}
{{- fail "webConfig.tlsSecret needs a web.yml that names its files: set webConfig.data.tls_server_config" }}
{{- end }}
{{- end }}
{{- end }}
