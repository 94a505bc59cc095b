//go:build suites

package packaging

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// targets is the smallest configuration.
const targets = `
config:
  targets:
    - region_id: cn-hangzhou
      plans: [{id: dbsexample1}]
`

// withKey reads its secrets from where the chart puts them; numbers are large enough to become 1e+06 on the way.
const withKey = `
config:
  task_series: {max_total: 2000000}
  targets:
    - account: production
      region_id: cn-hangzhou
      requests_per_second: 0.5
      credentials:
        type: access_key
        access_key_id_file: /run/secrets/aliyun_dbs_exporter/access-key-id
        access_key_secret_file: /run/secrets/aliyun_dbs_exporter/access-key-secret
      discovery: {enabled: true, include: "orders-.*"}
`

// passwords is a web.yml; the hash is of "probe-password".
const passwords = `
webConfig:
  data:
    tls_server_config: {cert_file: tls.crt, key_file: tls.key}
    basic_auth_users: {probe: $2a$10$jNxv/grn1B/QMuHrqzLJPugzeazFKhJ8ItWZII1luOh00qc/Y6m7W}
  tlsSecret: exporter-tls
`

// chartMode is a way to install the chart.
type chartMode struct {
	name, values string
	// existing are the ConfigMaps and Secrets that are there before.
	existing map[string]map[string]string
	// want are the objects that it makes.
	want []string
}

func chartModes(t *testing.T) []chartMode {
	t.Helper()
	return []chartMode{
		{
			name: "configuration", values: targets,
			want: []string{"ConfigMap/aliyun-dbs-exporter", "Deployment/aliyun-dbs-exporter", "Service/aliyun-dbs-exporter", "ServiceAccount/aliyun-dbs-exporter"},
		},
		{
			name: "demo", values: "demo: true",
			want: []string{"Deployment/aliyun-dbs-exporter", "Service/aliyun-dbs-exporter", "ServiceAccount/aliyun-dbs-exporter"},
		},
		{
			name: "shards", values: targets + "sharding: {count: 3}",
			want: []string{"ConfigMap/aliyun-dbs-exporter", "Service/aliyun-dbs-exporter-headless", "ServiceAccount/aliyun-dbs-exporter", "StatefulSet/aliyun-dbs-exporter"},
		},
		{
			name: "secret", values: withKey + "secret: {data: {access-key-id: LTAI5t7examplekeyid, access-key-secret: not-a-secret}}",
			want: []string{
				"ConfigMap/aliyun-dbs-exporter", "Deployment/aliyun-dbs-exporter", "Secret/aliyun-dbs-exporter", "Service/aliyun-dbs-exporter",
				"ServiceAccount/aliyun-dbs-exporter",
			},
		},
		{
			name: "existing objects", values: "{existingConfigMap: dbs-config, existingSecret: dbs-key, serviceAccount: {create: false, name: dbs}}",
			existing: map[string]map[string]string{
				"dbs-config": {"config.yml": "targets: [{region_id: cn-hangzhou, credentials: {type: access_key, access_key_id: LTAI5t7examplekeyid, access_key_secret_file: /run/secrets/aliyun_dbs_exporter/key}, plans: [{id: dbsexample1}]}]"},
				"dbs-key":    {"key": "not-a-secret"},
			},
			want: []string{"Deployment/aliyun-dbs-exporter", "Service/aliyun-dbs-exporter"},
		},
		{
			name: "TLS and passwords", values: targets + passwords, existing: map[string]map[string]string{"exporter-tls": certificate(t)},
			want: []string{
				"ConfigMap/aliyun-dbs-exporter", "Deployment/aliyun-dbs-exporter", "Secret/aliyun-dbs-exporter-web", "Service/aliyun-dbs-exporter",
				"ServiceAccount/aliyun-dbs-exporter",
			},
		},
		{
			name: "everything", values: targets + everything, existing: map[string]map[string]string{"exporter-web": {"web.yml": "{}"}},
			want: []string{
				"ConfigMap/aliyun-dbs-exporter", "ConfigMap/aliyun-dbs-exporter-dashboard", "NetworkPolicy/aliyun-dbs-exporter",
				"PodDisruptionBudget/aliyun-dbs-exporter", "PrometheusRule/aliyun-dbs-exporter", "Service/aliyun-dbs-exporter-headless",
				"ServiceAccount/aliyun-dbs-exporter", "ServiceMonitor/aliyun-dbs-exporter", "StatefulSet/aliyun-dbs-exporter",
			},
		},
	}
}

// everything sets what is off by default, and what is empty.
const everything = `
image: {repository: "registry.example:5000/team/aliyun_dbs_exporter", tag: v1, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
imagePullSecrets: [{name: registry}]
sharding: {count: 2}
extraArgs: [--log.format=json]
env: [{name: HTTPS_PROXY, value: "http://proxy.example:3128"}]
envFrom: [{configMapRef: {name: more}}]
webConfig: {existingSecret: exporter-web, tls: true}
serviceAccount: {annotations: {example.com/a: b}, rrsa: {roleName: dbs-reader}}
service: {port: 80, annotations: {example.com/a: b}, labels: {team: storage}}
serviceMonitor:
  enabled: true
  labels: {release: prometheus}
  interval: 30s
  scrapeTimeout: 10s
  honorLabels: true
  tlsConfig: {ca: {secret: {name: exporter-tls, key: ca.crt}}, serverName: exporter.example}
  basicAuth: {username: {name: scrape, key: user}, password: {name: scrape, key: password}}
  relabelings: [{sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}]
  metricRelabelings: [{action: labeldrop, regex: pod}]
prometheusRule: {enabled: true, labels: {release: prometheus}, annotations: {example.com/a: b}}
dashboard: {enabled: true, annotations: {grafana_folder: Storage}}
networkPolicy:
  enabled: true
  from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  extraEgress: [{to: [{ipBlock: {cidr: 100.100.100.200/32}}], ports: [{port: 80, protocol: TCP}]}]
podDisruptionBudget: {enabled: true}
podAnnotations: {example.com/a: b}
podLabels: {team: storage}
priorityClassName: high
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: dedicated, operator: Exists}]
affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone}}]}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
extraVolumes: [{name: ca, configMap: {name: exporter-web}}]
extraVolumeMounts: [{name: ca, mountPath: /etc/ca, readOnly: true}]
`

// certificate returns the files of a Secret of type kubernetes.io/tls.
func certificate(t *testing.T) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"tls.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})),
		"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}
}
