//go:build suites

package packaging

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"test/internal/exporter"
)

// platforms are what a release is for; with -short it is built for the first alone.
var platforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64", "windows-arm64"}

var dist struct {
	once    sync.Once
	version string
	err     error
}

// release builds all that is published, once for all tests, by the project's recipe into a folder of the tests' own.
func release(t *testing.T) (dir, version string) {
	t.Helper()
	goreleaser := exporter.Tool(t, "goreleaser")
	sbom := exporter.Tool(t, "cyclonedx-gomod")
	root := exporter.Root(t)
	dist.once.Do(func() {
		recipe, err := os.ReadFile(filepath.Join(root, ".goreleaser.yml"))
		if err != nil {
			dist.err = err
			return
		}
		text := string(recipe) + "\ndist: " + scratch + "/dist\n"
		if testing.Short() {
			text = regexp.MustCompile(`(?m)^    goos: .*$`).ReplaceAllString(text, "    goos: [linux]")
			text = regexp.MustCompile(`(?m)^    goarch: .*$`).ReplaceAllString(text, "    goarch: [amd64]")
		}
		config := filepath.Join(scratch, "recipe.yml")
		if dist.err = os.WriteFile(config, []byte(text), 0o600); dist.err != nil {
			return
		}
		cmd := command(t, goreleaser, "release", "--snapshot", "--clean", "--config="+config)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(sbom)+":"+os.Getenv("PATH"))
		if _, dist.err = output(cmd); dist.err != nil {
			return
		}
		var metadata struct{ Version string }
		dist.err = readJSON(filepath.Join(scratch, "dist/metadata.json"), &metadata)
		dist.version = metadata.Version
	})
	if dist.err != nil {
		t.Fatal(dist.err)
	}
	return filepath.Join(scratch, "dist"), dist.version
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func released() []string {
	if testing.Short() {
		return platforms[:1]
	}
	return platforms
}

// deb returns the path of a package for this machine.
func deb(t *testing.T) string {
	t.Helper()
	dir, version := release(t)
	return filepath.Join(dir, "aliyun-dbs-exporter_"+strings.Replace(version, "-", "~", 1)+"_amd64.deb")
}

func TestReleaseRecipe(t *testing.T) {
	cmd := command(t, "goreleaser", "check", "--quiet")
	cmd.Dir = exporter.Root(t)
	must(t, cmd)
}

// Everything that was promised is there, and nothing else.
func TestRelease(t *testing.T) {
	dir, version := release(t)
	var want []string
	for _, platform := range released() {
		name := "aliyun_dbs_exporter-" + version + "." + platform
		suffix := ".tar.gz"
		if strings.HasPrefix(platform, "windows") {
			suffix = ".zip"
		}
		want = append(want, name+suffix, name+".cdx.json")
		if arch, linux := strings.CutPrefix(platform, "linux-"); linux {
			file := strings.Replace(version, "-", "~", 1)
			want = append(want, "aliyun-dbs-exporter_"+file+"_"+arch+".deb",
				"aliyun-dbs-exporter-"+file+"-1."+map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]+".rpm")
		}
	}
	slices.Sort(want)
	sums := must(t, command(t, "cat", filepath.Join(dir, "sha256sums.txt")))
	var got []string
	for line := range strings.Lines(sums) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published files (-want +got):\n%s", diff)
	}
	check := command(t, "sha256sum", "--check", "--quiet", "sha256sums.txt")
	check.Dir = dir
	must(t, check)
}

func TestReleasedArchives(t *testing.T) {
	dir, version := release(t)
	for _, platform := range released() {
		t.Run(platform, func(t *testing.T) {
			name := "aliyun_dbs_exporter-" + version + "." + platform
			binary, unpack := "aliyun_dbs_exporter", []string{"tar", "--extract", "--file", name + ".tar.gz", "--directory"}
			if strings.HasPrefix(platform, "windows") {
				binary, unpack = "aliyun_dbs_exporter.exe", []string{"unzip", "-q", name + ".zip", "-d"}
			}
			unpacked := t.TempDir()
			cmd := command(t, unpack[0], append(unpack[1:], unpacked)...)
			cmd.Dir = dir
			must(t, cmd)
			entries, err := os.ReadDir(filepath.Join(unpacked, name))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, entry := range entries {
				got = append(got, entry.Name())
			}
			if diff := cmp.Diff([]string{"CHANGELOG.md", "LICENSE", binary, "config.example.yml"}, got); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
			checkBinary(t, filepath.Join(unpacked, name, binary), platform, version)
			checkBill(t, filepath.Join(dir, name+".cdx.json"))
		})
	}
}

// checkBinary looks at how a binary was built and, if it can run here, asks it for its version.
func checkBinary(t *testing.T, path, platform, version string) {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, setting := range info.Settings {
		got[setting.Key] = setting.Value
	}
	system, arch, _ := strings.Cut(platform, "-")
	for key, want := range map[string]string{"GOOS": system, "GOARCH": arch, "CGO_ENABLED": "0", "-trimpath": "true"} {
		if got[key] != want {
			t.Errorf("built with %s=%q, want %q", key, got[key], want)
		}
	}
	if platform != "linux-amd64" {
		return
	}
	said := must(t, command(t, path, "--version"))
	if want := fmt.Sprintf("aliyun_dbs_exporter, version %s (branch: ", version); !strings.HasPrefix(said, want) {
		t.Errorf("--version says %q, want %q first", said, want)
	}
}

// checkBill looks for every module that the exporter requires in a bill of materials.
func checkBill(t *testing.T, path string) {
	t.Helper()
	var bill struct {
		BOMFormat  string
		Components []struct{ Name, Version, PURL string }
	}
	if err := readJSON(path, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BOMFormat != "CycloneDX" {
		t.Errorf("format is %q", bill.BOMFormat)
	}
	for _, module := range []string{"github.com/prometheus/client_golang", "github.com/aliyun/credentials-go", "golang.org/x/time"} {
		if !slices.ContainsFunc(bill.Components, func(c struct{ Name, Version, PURL string }) bool {
			return c.Name == module && strings.HasPrefix(c.Version, "v") && strings.HasPrefix(c.PURL, "pkg:golang/"+module+"@")
		}) {
			t.Errorf("%s lacks %s", filepath.Base(path), module)
		}
	}
}
