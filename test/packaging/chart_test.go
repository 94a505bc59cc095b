//go:build suites

package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	security "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"test/internal/exporter"
)

// Each mode makes the objects that it should; they fit each other, the API and Pod Security, and the exporter accepts
// what it is started with.
func TestChartModes(t *testing.T) {
	for _, mode := range chartModes(t) {
		t.Run(mode.name, func(t *testing.T) {
			t.Log(must(t, command(t, "helm", "lint", "--strict", chartFolder(t), "--values", exporter.WriteFile(t, "values.yaml", mode.values))))
			objects := render(t, mode.values)
			if diff := cmp.Diff(mode.want, objects.names()); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			checkFit(t, objects)
			checkPod(t, objects)
			if result := objects.run(t, objects.files(t, mode.existing), "--config.check"); result.Code != 0 {
				t.Errorf("the exporter exits with %d:\n%s", result.Code, result.Stderr)
			}
		})
	}
}

// checkFit checks that selectors find the pod, and ports each other.
func checkFit(t *testing.T, objects chartObjects) {
	t.Helper()
	pod, selector := objects.pod(t)
	service := only[*core.Service](t, objects)
	container := pod.Spec.Containers[0]
	if port := container.Ports[0]; port.Name != "metrics" || port.ContainerPort != 9977 {
		t.Errorf("port of the container is %v", port)
	}
	if port := service.Spec.Ports[0]; port.Name != "metrics" || port.TargetPort != intstr.FromString("metrics") {
		t.Errorf("port of the service is %v", port)
	}
	selects(t, "workload", selector, pod.Labels)
	selects(t, "service", &meta.LabelSelector{MatchLabels: service.Spec.Selector}, pod.Labels)
	for _, budget := range all[*policy.PodDisruptionBudget](objects) {
		selects(t, "budget", budget.Spec.Selector, pod.Labels)
	}
	for _, network := range all[*networking.NetworkPolicy](objects) {
		selects(t, "network policy", &network.Spec.PodSelector, pod.Labels)
		if port := network.Spec.Ingress[0].Ports[0].Port; *port != intstr.FromString("metrics") {
			t.Errorf("the network policy lets in to port %v", port)
		}
	}
	for _, monitor := range all[*monitoring.ServiceMonitor](objects) {
		selects(t, "service monitor", &monitor.Spec.Selector, service.Labels)
		if diff := cmp.Diff([]string{chartNamespace}, monitor.Spec.NamespaceSelector.MatchNames); diff != "" || monitor.Spec.Endpoints[0].Port != "metrics" {
			t.Errorf("the service monitor looks elsewhere: %+v", monitor.Spec)
		}
	}
	for _, object := range objects {
		o := object.(meta.Object)
		for key, want := range map[string]string{
			"app.kubernetes.io/name": "aliyun-dbs-exporter", "app.kubernetes.io/instance": chartRelease, "app.kubernetes.io/managed-by": "Helm",
		} {
			if got := o.GetLabels()[key]; got != want || o.GetNamespace() != chartNamespace {
				t.Errorf("%s in %s: label %s is %q, want %q", o.GetName(), o.GetNamespace(), key, got, want)
			}
		}
	}
}

func selects(t *testing.T, who string, selector *meta.LabelSelector, of map[string]string) {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	if s.Empty() || !s.Matches(labels.Set(of)) {
		t.Errorf("the selector of the %s, %q, does not match %v", who, s, of)
	}
}

// checkPod judges the pod by Pod Security "restricted", and by what it needs besides.
func checkPod(t *testing.T, objects chartObjects) {
	t.Helper()
	pod, _ := objects.pod(t)
	evaluator, err := security.NewEvaluator(security.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	verdict := security.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
	if !verdict.Allowed {
		t.Errorf("Pod Security forbids it: %s", verdict.ForbiddenDetail())
	}
	container := pod.Spec.Containers[0]
	if len(pod.Spec.Containers) != 1 || !*container.SecurityContext.ReadOnlyRootFilesystem || *pod.Spec.SecurityContext.RunAsUser != 65532 || *pod.Spec.SecurityContext.FSGroup != 65532 {
		t.Errorf("security contexts: %v, %v", container.SecurityContext, pod.Spec.SecurityContext)
	}
	if container.Command != nil {
		t.Errorf("the image's entry point is replaced: %q", container.Command)
	}
	for name, value := range map[string]*bool{"automountServiceAccountToken": pod.Spec.AutomountServiceAccountToken, "enableServiceLinks": pod.Spec.EnableServiceLinks} {
		if value == nil || *value {
			t.Errorf("%s is not false", name)
		}
	}
	accounts := all[*core.ServiceAccount](objects)
	if len(accounts) == 0 {
		if pod.Spec.ServiceAccountName != "dbs" {
			t.Errorf("service account is %q", pod.Spec.ServiceAccountName)
		}
		return
	}
	if account := accounts[0]; account.Name != pod.Spec.ServiceAccountName || account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
		t.Errorf("service account %s of the pod, %+v", pod.Spec.ServiceAccountName, account)
	}
}

func TestChartShards(t *testing.T) {
	objects := render(t, targets+"sharding: {count: 3}")
	set := only[*apps.StatefulSet](t, objects)
	service := only[*core.Service](t, objects)
	if *set.Spec.Replicas != 3 || set.Spec.PodManagementPolicy != apps.ParallelPodManagement || set.Spec.ServiceName != service.Name {
		t.Errorf("set: %d replicas, %s, service %s", *set.Spec.Replicas, set.Spec.PodManagementPolicy, set.Spec.ServiceName)
	}
	if service.Spec.ClusterIP != core.ClusterIPNone || !service.Spec.PublishNotReadyAddresses {
		t.Errorf("service: cluster IP %s, not ready %t", service.Spec.ClusterIP, service.Spec.PublishNotReadyAddresses)
	}
	want := []core.EnvVar{
		{Name: "ALIYUN_DBS_EXPORTER_SHARD_COUNT", Value: "3"},
		{Name: "ALIYUN_DBS_EXPORTER_SHARD_INDEX", ValueFrom: &core.EnvVarSource{FieldRef: &core.ObjectFieldSelector{FieldPath: "metadata.labels['" + apps.PodIndexLabel + "']"}}},
	}
	if diff := cmp.Diff(want, set.Spec.Template.Spec.Containers[0].Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	// One pod is one reader of the API, whatever happens.
	single := render(t, targets+"service: {port: 80, type: NodePort}")
	if spec := only[*core.Service](t, single).Spec; spec.Ports[0].Port != 80 || spec.Type != core.ServiceTypeNodePort || spec.PublishNotReadyAddresses {
		t.Errorf("service of one: %+v", spec)
	}
	deployment := only[*apps.Deployment](t, single)
	if *deployment.Spec.Replicas != 1 || deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("deployment: %d replicas, %+v", *deployment.Spec.Replicas, deployment.Spec.Strategy)
	}
}

// A changed configuration changes the pod, a changed secret does not: the exporter reads that again by itself.
func TestChartRestarts(t *testing.T) {
	before, _ := render(t, targets+"secret: {data: {key: old}}").pod(t)
	secret, _ := render(t, targets+"secret: {data: {key: new}}").pod(t)
	if diff := cmp.Diff(before, secret); diff != "" {
		t.Errorf("a new secret changes the pod (-before +after):\n%s", diff)
	}
	config, _ := render(t, strings.Replace(targets, "dbsexample1", "dbsexample2", 1)+"secret: {data: {key: old}}").pod(t)
	if before.Annotations["checksum/config"] == config.Annotations["checksum/config"] {
		t.Error("a new configuration does not change the pod")
	}
}

func TestChartProbes(t *testing.T) {
	tcp := core.ProbeHandler{TCPSocket: &core.TCPSocketAction{Port: intstr.FromString("metrics")}}
	get := func(path string, scheme core.URIScheme, headers ...core.HTTPHeader) core.ProbeHandler {
		return core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Path: path, Port: intstr.FromString("metrics"), Scheme: scheme, HTTPHeaders: headers}}
	}
	const header = "\nprobes: {httpHeaders: [{name: Authorization, value: Basic cHJvYmU6cHJvYmUtcGFzc3dvcmQ=}]}"
	password := core.HTTPHeader{Name: "Authorization", Value: "Basic cHJvYmU6cHJvYmUtcGFzc3dvcmQ="}
	for _, tt := range []struct {
		name, values        string
		liveness, readiness core.ProbeHandler
	}{
		{"plain", "", get("/-/healthy", core.URISchemeHTTP), get("/-/ready", core.URISchemeHTTP)},
		{"TLS", "webConfig: {data: {tls_server_config: {cert_file: tls.crt, key_file: tls.key}}}", get("/-/healthy", core.URISchemeHTTPS), get("/-/ready", core.URISchemeHTTPS)},
		{"existing, TLS", "webConfig: {existingSecret: web, tls: true}", get("/-/healthy", core.URISchemeHTTPS), get("/-/ready", core.URISchemeHTTPS)},
		{"password", passwords, tcp, tcp},
		{"password and header", passwords + header, tcp, get("/-/ready", core.URISchemeHTTPS, password)},
		{"existing, password", "webConfig: {existingSecret: web, authentication: true}", tcp, tcp},
		{"client certificates", "webConfig: {data: {tls_server_config: {client_auth_type: RequireAndVerifyClientCert}}}" + header, tcp, tcp},
	} {
		pod, _ := render(t, targets+tt.values).pod(t)
		container := pod.Spec.Containers[0]
		if diff := cmp.Diff(tt.liveness, container.LivenessProbe.ProbeHandler); diff != "" {
			t.Errorf("%s: liveness (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.readiness, container.ReadinessProbe.ProbeHandler); diff != "" {
			t.Errorf("%s: readiness (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Values that are passed on arrive.
func TestChartEverything(t *testing.T) {
	objects := render(t, targets+everything)
	pod, _ := objects.pod(t)
	container := pod.Spec.Containers[0]
	if want := "registry.example:5000/team/aliyun_dbs_exporter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"; container.Image != want {
		t.Errorf("image is %s, want %s", container.Image, want)
	}
	if want := []string{"--config.file=/etc/aliyun_dbs_exporter/config.yml", "--web.config.file=/run/secrets/aliyun_dbs_exporter_web/web.yml", "--log.format=json"}; !slices.Equal(want, container.Args) {
		t.Errorf("arguments are %q, want %q", container.Args, want)
	}
	if got := container.Env[len(container.Env)-1]; got.Name != "HTTPS_PROXY" || container.EnvFrom[0].ConfigMapRef.Name != "more" {
		t.Errorf("environment is %v, %v", container.Env, container.EnvFrom)
	}
	spec := pod.Spec
	if spec.PriorityClassName != "high" || spec.ImagePullSecrets[0].Name != "registry" || spec.NodeSelector["kubernetes.io/arch"] != "amd64" ||
		spec.Tolerations[0].Key != "dedicated" || spec.Affinity.PodAntiAffinity == nil || spec.TopologySpreadConstraints[0].TopologyKey != "zone" {
		t.Errorf("scheduling: %+v", spec)
	}
	if pod.Labels["team"] != "storage" || pod.Annotations["example.com/a"] != "b" {
		t.Errorf("labels %v, annotations %v", pod.Labels, pod.Annotations)
	}
	account := only[*core.ServiceAccount](t, objects)
	wantAnnotations := map[string]string{"example.com/a": "b", "pod-identity.alibabacloud.com/role-name": "dbs-reader"}
	if diff := cmp.Diff(wantAnnotations, account.Annotations); diff != "" || pod.Labels["pod-identity.alibabacloud.com/injection"] != "on" {
		t.Errorf("RRSA: labels %v, annotations (-want +got):\n%s", pod.Labels, diff)
	}
	service := only[*core.Service](t, objects)
	if service.Spec.Ports[0].Port != 9977 || service.Labels["team"] != "storage" || service.Annotations["example.com/a"] != "b" {
		t.Errorf("service: %+v", service)
	}
	if budget := only[*policy.PodDisruptionBudget](t, objects).Spec; budget.MaxUnavailable.IntValue() != 1 || budget.MinAvailable != nil {
		t.Errorf("budget: %+v", budget)
	}
	network := only[*networking.NetworkPolicy](t, objects).Spec
	if from := network.Ingress[0].From[0]; from.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" || len(network.PolicyTypes) != 2 {
		t.Errorf("network policy: %+v", network)
	}
	var egress []string
	for _, rule := range network.Egress {
		for _, port := range rule.Ports {
			egress = append(egress, string(*port.Protocol)+" "+port.Port.String())
		}
	}
	if want := []string{"UDP 53", "TCP 53", "TCP 443", "TCP 80"}; !slices.Equal(want, egress) {
		t.Errorf("ways out are %q, want %q", egress, want)
	}
}

// The values of the service monitor arrive, and the job has the name that the alerts expect.
func TestChartMonitor(t *testing.T) {
	objects := render(t, targets+everything)
	got, err := yaml.Marshal(only[*monitoring.ServiceMonitor](t, objects).Spec.Endpoints)
	if err != nil {
		t.Fatal(err)
	}
	const want = `- basicAuth:
    password:
      key: password
      name: scrape
    username:
      key: user
      name: scrape
  honorLabels: true
  interval: 30s
  metricRelabelings:
  - action: labeldrop
    regex: pod
  path: /metrics
  port: metrics
  relabelings:
  - replacement: aliyun_dbs
    targetLabel: job
  - sourceLabels:
    - __meta_kubernetes_pod_node_name
    targetLabel: node
  scheme: https
  scrapeTimeout: 10s
  tlsConfig:
    ca:
      secret:
        key: ca.crt
        name: exporter-tls
    cert: {}
    serverName: exporter.example
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	for _, group := range only[*monitoring.PrometheusRule](t, objects).Spec.Groups {
		for _, rule := range group.Rules {
			for _, match := range jobMatcher.FindAllStringSubmatch(rule.Expr.String(), -1) {
				if !regexp.MustCompile("^(?:" + match[1] + ")$").MatchString("aliyun_dbs") {
					t.Errorf("%s asks for %s, which is not the job aliyun_dbs", rule.Alert, match[0])
				}
			}
		}
	}
}

// jobMatcher finds what an expression asks of the label "job", by its value or by a regular expression.
var jobMatcher = regexp.MustCompile(`\bjob=~?"([^"]*)"`)

// The alerts and the dashboard are the files of the repository, from the folder and from an archive.
func TestChartFiles(t *testing.T) {
	root := exporter.Root(t)
	archive := t.TempDir()
	must(t, command(t, "helm", "package", chartFolder(t), "--destination", archive))
	archives, err := filepath.Glob(archive + "/aliyun-dbs-exporter-*.tgz")
	if err != nil || len(archives) != 1 {
		t.Fatalf("archives are %q, %v", archives, err)
	}
	alerts, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var want monitoring.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict(alerts, &want); err != nil || len(want.Groups) == 0 {
		t.Fatalf("alerts.yml: %v, %d groups", err, len(want.Groups))
	}
	dashboard, err := os.ReadFile(filepath.Join(root, "deploy/grafana/aliyun-dbs-downloads.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range []string{chartFolder(t), archives[0]} {
		text, err := tryRender(t, chart, "{demo: true, prometheusRule: {enabled: true}, dashboard: {enabled: true}}")
		if err != nil {
			t.Fatal(err)
		}
		objects := decode(t, text)
		if diff := cmp.Diff(want, only[*monitoring.PrometheusRule](t, objects).Spec); diff != "" {
			t.Errorf("%s: alerts (-want +got):\n%s", chart, diff)
		}
		shown := only[*core.ConfigMap](t, objects)
		if diff := cmp.Diff(map[string]string{"aliyun-dbs-downloads.json": string(dashboard)}, shown.Data); diff != "" || shown.Labels["grafana_dashboard"] != "1" {
			t.Errorf("%s: labels %v, dashboard (-want +got):\n%s", chart, shown.Labels, diff)
		}
	}
}
