package packaging

import (
	"context"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"test/internal/exporter"
)

// loadCompose reads the demo. Keys that the Compose specification does not have are errors.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	dir := filepath.Join(exporter.Root(t), "deploy", "compose")
	details := types.ConfigDetails{WorkingDir: dir, ConfigFiles: types.ToConfigFiles([]string{filepath.Join(dir, "compose.yml")})}
	project, err := loader.LoadWithContext(context.WithoutCancel(t.Context()), details)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// pinned is a version that stays what it is.
var pinned = regexp.MustCompile(`:v?[0-9]+\.[0-9]+\.[0-9]+$`)

// Services run without rights, are reached from this machine alone, and mount what is there.
func TestCompose(t *testing.T) {
	project := loadCompose(t)
	if got, want := slices.Sorted(maps.Keys(project.Services)), []string{"alertmanager", "exporter", "grafana", "prometheus"}; !slices.Equal(got, want) {
		t.Fatalf("services are %q, want %q", got, want)
	}
	ports := map[string]string{"alertmanager": "9093", "exporter": "9977", "grafana": "3000", "prometheus": "9090"}
	for name, service := range project.Services {
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Equal(service.SecurityOpt, []string{"no-new-privileges:true"}) || service.Privileged || len(service.CapAdd) > 0 {
			t.Errorf("%s is not confined: %+v", name, service)
		}
		if service.Build == nil && !pinned.MatchString(service.Image) {
			t.Errorf("%s: the image %s has no version", name, service.Image)
		}
		if len(service.Ports) != 1 || service.Ports[0].HostIP != "127.0.0.1" || service.Ports[0].Published != ports[name] {
			t.Errorf("%s: ports are %+v", name, service.Ports)
		}
		for _, volume := range service.Volumes {
			switch volume.Type {
			case types.VolumeTypeBind:
				if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
					t.Errorf("%s mounts %s, read-only %t: %v", name, volume.Source, volume.ReadOnly, err)
				}
			case types.VolumeTypeVolume:
				if _, ok := project.Volumes[volume.Source]; !ok {
					t.Errorf("%s mounts the volume %s, which is not there", name, volume.Source)
				}
			default:
				t.Errorf("%s mounts a %s", name, volume.Type)
			}
		}
	}
	service := project.Services["exporter"]
	if dockerfile := filepath.Join(service.Build.Context, "Dockerfile"); dockerfile != filepath.Join(exporter.Root(t), "Dockerfile") {
		t.Errorf("the exporter is built from %s", dockerfile)
	}
	if result := exporter.Run(t, exporter.Options{Args: append(slices.Clone(service.Command), "--config.check")}); result.Code != 0 {
		t.Errorf("the exporter exits with %d:\n%s", result.Code, result.Stderr)
	}
}

// Every service finds the ones that it speaks to, and the files that it reads.
func TestComposeWiring(t *testing.T) {
	project := loadCompose(t)
	var prometheus struct {
		RuleFiles []string `json:"rule_files"`
		Alerting  struct {
			Alertmanagers []targetGroups
		}
		ScrapeConfigs []targetGroups `json:"scrape_configs"`
		Global        struct {
			ScrapeInterval string `json:"scrape_interval"`
		}
	}
	readYAML(t, mounted(t, project, "prometheus", "/etc/prometheus/prometheus.yml"), &prometheus)
	for _, file := range prometheus.RuleFiles {
		mounted(t, project, "prometheus", path.Join("/etc/prometheus", file))
	}
	mounted(t, project, "alertmanager", "/etc/alertmanager/alertmanager.yml")
	if got, want := addresses(prometheus.ScrapeConfigs), []string{"exporter:9977"}; !slices.Equal(got, want) {
		t.Errorf("Prometheus scrapes %q, want %q", got, want)
	}
	if got, want := addresses(prometheus.Alerting.Alertmanagers), []string{"alertmanager:9093"}; !slices.Equal(got, want) {
		t.Errorf("Prometheus alerts %q, want %q", got, want)
	}

	var sources struct {
		Datasources []struct {
			Type, URL string
			IsDefault bool
			JSONData  struct{ TimeInterval string }
		}
	}
	readYAML(t, mounted(t, project, "grafana", "/etc/grafana/provisioning/datasources/aliyun-dbs.yml"), &sources)
	source := sources.Datasources[0]
	address, err := url.Parse(source.URL)
	if err != nil {
		t.Fatal(err)
	}
	if source.Type != "prometheus" || address.Host != "prometheus:9090" || !source.IsDefault || source.JSONData.TimeInterval != prometheus.Global.ScrapeInterval {
		t.Errorf("Grafana's data source is %+v, and Prometheus scrapes every %s", source, prometheus.Global.ScrapeInterval)
	}
	var dashboards struct {
		Providers []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	readYAML(t, mounted(t, project, "grafana", "/etc/grafana/provisioning/dashboards/aliyun-dbs.yml"), &dashboards)
	folder := dashboards.Providers[0].Options.Path
	home := *project.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if diff := cmp.Diff(path.Join(folder, "aliyun-dbs-downloads.json"), home); diff != "" {
		t.Errorf("the first page (-want +got):\n%s", diff)
	}
	mounted(t, project, "grafana", home)
}

// targetGroups is what both a scrape and the way to an Alertmanager have.
type targetGroups struct {
	StaticConfigs []struct{ Targets []string } `json:"static_configs"`
}

func addresses(groups []targetGroups) (addresses []string) {
	for _, group := range groups {
		for _, static := range group.StaticConfigs {
			addresses = append(addresses, static.Targets...)
		}
	}
	return addresses
}

// mounted returns where this machine has a file of a service.
func mounted(t *testing.T, project *types.Project, service, file string) string {
	t.Helper()
	for _, volume := range project.Services[service].Volumes {
		if rest, ok := strings.CutPrefix(file, volume.Target); ok && volume.Type == types.VolumeTypeBind && (rest == "" || rest[0] == '/') {
			source := volume.Source + rest
			if _, err := os.Stat(source); err != nil {
				t.Fatal(err)
			}
			return source
		}
	}
	t.Fatalf("%s has no %s", service, file)
	return ""
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
