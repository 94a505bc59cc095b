{{/* The pod template of the Deployment and of the StatefulSet. */}}
{{- define "exporter.pod" -}}
{{- $demo := .Values.demo }}
{{- $secret := .Values.existingSecret | default (ternary (include "exporter.fullname" .) "" (not (empty .Values.secret.data))) }}
{{- $web := include "exporter.webSecret" . -}}
metadata:
  labels:
    {{- include "exporter.selectorLabels" . | nindent 4 }}
    {{- with .Values.serviceAccount.rrsa.roleName }}
    pod-identity.alibabacloud.com/injection: "on"
    {{- end }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: exporter
    {{- with .Values.config }}
    checksum/config: {{ toJson . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "exporter.serviceAccountName" . }}
  # The exporter does not use the Kubernetes API.
  automountServiceAccountToken: false
  # Service links are variables such as ALIYUN_DBS_EXPORTER_PORT, and flags use the same prefix.
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
    - name: exporter
      image: {{ include "exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- if $demo }}
        - --demo
        {{- else }}
        - --config.file=/etc/aliyun_dbs_exporter/config.yml
        {{- end }}
        {{- if $web }}
        - --web.config.file=/run/secrets/aliyun_dbs_exporter_web/web.yml
        {{- end }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if or (include "exporter.sharded" .) .Values.env }}
      env:
        {{- if include "exporter.sharded" . }}
        - name: ALIYUN_DBS_EXPORTER_SHARD_COUNT
          value: {{ .Values.sharding.count | quote }}
        - name: ALIYUN_DBS_EXPORTER_SHARD_INDEX
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: 9977
          protocol: TCP
      livenessProbe:
        {{- include "exporter.livenessProbe" . | nindent 8 }}
      readinessProbe:
        {{- include "exporter.readinessProbe" . | nindent 8 }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- if or (not $demo) $secret $web .Values.extraVolumeMounts }}
      volumeMounts:
        {{- if not $demo }}
        - {name: config, mountPath: /etc/aliyun_dbs_exporter, readOnly: true}
        {{- end }}
        {{- if $secret }}
        - {name: secret, mountPath: /run/secrets/aliyun_dbs_exporter, readOnly: true}
        {{- end }}
        {{- if $web }}
        - {name: web, mountPath: /run/secrets/aliyun_dbs_exporter_web, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
  {{- if or (not $demo) $secret $web .Values.extraVolumes }}
  volumes:
    {{- if not $demo }}
    - name: config
      configMap:
        name: {{ .Values.existingConfigMap | default (include "exporter.fullname" .) }}
    {{- end }}
    {{- if $secret }}
    - name: secret
      secret:
        secretName: {{ $secret }}
        defaultMode: 0440 # for the group, which is fsGroup
    {{- end }}
    {{- if $web }}
    - name: web
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ $web }}
          {{- with .Values.webConfig.tlsSecret }}
          - secret:
              name: {{ . }}
          {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* With a password or client certificates, the probe checks only that the port is open. A probe with a password would
kill the pod again and again after the password has changed. */}}
{{- define "exporter.livenessProbe" -}}
{{- if include "exporter.authenticated" . -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: /-/healthy
  port: metrics
  scheme: {{ ternary "HTTPS" "HTTP" (eq (include "exporter.tls" .) "true") }}
{{- end }}
{{ toYaml .Values.probes.liveness }}
{{- end }}

{{- define "exporter.readinessProbe" -}}
{{- if or (include "exporter.clientCertificates" .) (and (include "exporter.authenticated" .) (not .Values.probes.httpHeaders)) -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: /-/ready
  port: metrics
  scheme: {{ ternary "HTTPS" "HTTP" (eq (include "exporter.tls" .) "true") }}
  {{- with .Values.probes.httpHeaders }}
  httpHeaders:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{ toYaml .Values.probes.readiness }}
{{- end }}
