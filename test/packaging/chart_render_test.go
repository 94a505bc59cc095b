//go:build suites

package packaging

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"

	"test/internal/exporter"
)

// The release and the namespace of the chart.
const (
	chartRelease   = "aliyun-dbs-exporter"
	chartNamespace = "monitoring"
)

// chartObjects is what the chart makes of values.
type chartObjects []runtime.Object

// tryRender renders a chart, a folder or an archive, and returns the text.
func tryRender(t testing.TB, chart, values string) (string, error) {
	t.Helper()
	return output(command(t, "helm", "template", chartRelease, chart, "--namespace", chartNamespace, "--values", exporter.WriteFile(t, "values.yaml", values)))
}

// render renders the chart and decodes what comes out. Fields that the Kubernetes API does not know are errors.
func render(t testing.TB, values string) chartObjects {
	t.Helper()
	text, err := tryRender(t, chartFolder(t), values)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, text)
}

func decode(t testing.TB, text string) (objects chartObjects) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme, monitoring.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		objects = append(objects, object)
	}
}

// names lists the objects as Kind/name, sorted.
func (c chartObjects) names() (names []string) {
	for _, object := range c {
		names = append(names, object.GetObjectKind().GroupVersionKind().Kind+"/"+object.(meta.Object).GetName())
	}
	slices.Sort(names)
	return names
}

// only returns the one object of a type.
func only[T runtime.Object](t testing.TB, objects chartObjects) T {
	t.Helper()
	found := all[T](objects)
	if len(found) != 1 {
		var none T
		t.Fatalf("there are %d of %T, want 1", len(found), none)
	}
	return found[0]
}

func all[T runtime.Object](objects chartObjects) (found []T) {
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// pod returns the template of the Deployment or StatefulSet, and what that selects.
func (c chartObjects) pod(t testing.TB) (core.PodTemplateSpec, *meta.LabelSelector) {
	t.Helper()
	if sets := all[*apps.StatefulSet](c); len(sets) > 0 {
		return sets[0].Spec.Template, sets[0].Spec.Selector
	}
	deployment := only[*apps.Deployment](t, c)
	return deployment.Spec.Template, deployment.Spec.Selector
}

// files returns what the volumes of the pod hold, by path. Objects that the chart does not create are in existing, by
// the name of the ConfigMap or Secret.
func (c chartObjects) files(t testing.TB, existing map[string]map[string]string) map[string]string {
	t.Helper()
	pod, _ := c.pod(t)
	volumes := make(map[string]core.VolumeSource)
	for _, volume := range pod.Spec.Volumes {
		volumes[volume.Name] = volume.VolumeSource
	}
	files := make(map[string]string)
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		if !mount.ReadOnly {
			t.Errorf("%s is not mounted read-only", mount.MountPath)
		}
		for _, name := range sources(t, volumes[mount.Name]) {
			content := c.content(name)
			if content == nil {
				content = existing[strings.TrimPrefix(strings.TrimPrefix(name, "ConfigMap/"), "Secret/")]
			}
			if content == nil {
				t.Fatalf("the pod mounts %s, which nobody makes", name)
			}
			for key, text := range content {
				files[filepath.Join(mount.MountPath, key)] = text
			}
		}
	}
	return files
}

// sources lists what a volume shows, as Kind/name.
func sources(t testing.TB, volume core.VolumeSource) (names []string) {
	t.Helper()
	switch {
	case volume.ConfigMap != nil:
		return []string{"ConfigMap/" + volume.ConfigMap.Name}
	case volume.Secret != nil:
		forGroup(t, volume.Secret.DefaultMode)
		return []string{"Secret/" + volume.Secret.SecretName}
	case volume.Projected != nil:
		forGroup(t, volume.Projected.DefaultMode)
		for _, source := range volume.Projected.Sources {
			names = append(names, "Secret/"+source.Secret.Name)
		}
		return names
	}
	t.Fatalf("there is no such volume, or nothing is known of it: %v", volume)
	return nil
}

// content returns the files of a ConfigMap or Secret that the chart makes, or nil.
func (c chartObjects) content(name string) map[string]string {
	for _, object := range c {
		switch object := object.(type) {
		case *core.ConfigMap:
			if "ConfigMap/"+object.Name == name {
				return object.Data
			}
		case *core.Secret:
			if "Secret/"+object.Name == name {
				files := make(map[string]string)
				for key, value := range object.Data {
					files[key] = string(value)
				}
				return files
			}
		}
	}
	return nil
}

// forGroup wants a secret to be for root and the pod's group alone.
func forGroup(t testing.TB, mode *int32) {
	t.Helper()
	if mode == nil || *mode != 0o440 {
		t.Errorf("the files of a secret have mode %v, want 0440", mode)
	}
}

// run runs the real exporter with the arguments, environment and files of the pod, and one argument more.
func (c chartObjects) run(t testing.TB, files map[string]string, arg string) exporter.Result {
	t.Helper()
	root := t.TempDir()
	here := strings.NewReplacer("/etc/aliyun_dbs_exporter", root+"/etc/aliyun_dbs_exporter", "/run/secrets/", root+"/run/secrets/")
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(here.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pod, _ := c.pod(t)
	container := pod.Spec.Containers[0]
	options := exporter.Options{}
	for _, arg := range append(slices.Clone(container.Args), arg) {
		options.Args = append(options.Args, here.Replace(arg))
	}
	for _, env := range container.Env {
		value := env.Value
		if env.ValueFrom != nil {
			value = "0" // the first pod's index
		}
		options.Env = append(options.Env, env.Name+"="+value)
	}
	return exporter.Run(t, options)
}
