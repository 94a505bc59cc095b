//go:build suites

package packaging

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"test/internal/exporter"
)

// platforms are what a release is for.
var platforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64", "windows-arm64"}

// version is one that Debian and RPM order before 0.1.0.
const version = "0.1.0-snapshot.1"

var dist struct {
	once sync.Once
	err  error
}

// release builds all that is published, once for all tests, into a folder of the tests' own.
func release(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(scratch, "dist")
	dist.once.Do(func() { dist.err = buildRelease(t, exporter.Root(t), version, dir, platforms) })
	if dist.err != nil {
		t.Fatal(dist.err)
	}
	return dir
}

// buildRelease builds the release of a version from the clone at root.
func buildRelease(t *testing.T, root, version, dir string, platforms []string) error {
	t.Helper()
	cmd := command(t, "bash", "deploy/release/build.sh", version, dir)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PLATFORMS="+strings.ReplaceAll(strings.Join(platforms, " "), "-", "/"))
	_, err := output(cmd)
	return err
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// deb returns the path of a package for this machine.
func deb(t *testing.T) string {
	t.Helper()
	return filepath.Join(release(t), "aliyun-dbs-exporter_"+strings.Replace(version, "-", "~", 1)+"_"+runtime.GOARCH+".deb")
}

// A version that packages cannot order is refused before anything is built.
func TestReleaseVersions(t *testing.T) {
	for _, version := range []string{"", "v1.2.3", "1.2", "devel", "1.2.3 4"} {
		if err := buildRelease(t, exporter.Root(t), version, t.TempDir(), platforms[:1]); err == nil || !strings.Contains(err.Error(), "is no semantic version") {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

// The build shows what a program printed that failed.
func TestReleaseShowsFailures(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{
		"go":     `case "$*" in *cyclonedx-gomod) echo "` + dir + `/broken";; *) exec "` + exporter.Tool(t, "go") + `" "$@";; esac`,
		"broken": "echo the bill cannot be written >&2; exit 3",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	err := buildRelease(t, exporter.Root(t), version, t.TempDir(), platforms[:1])
	if err == nil || !strings.Contains(err.Error(), "the bill cannot be written") {
		t.Errorf("the build of a release whose bill cannot be written: %v", err)
	}
}

// The same commit gives the same bytes, in every folder and on every branch. Changes that are not committed are not built.
func TestReleaseIsReproducible(t *testing.T) {
	var sums []map[string]string
	for _, checkout := range [][]string{{"-b", "feature"}, {"--detach"}} {
		clone, dir := t.TempDir(), t.TempDir()
		must(t, command(t, "git", "clone", "--quiet", exporter.Root(t), clone))
		must(t, command(t, "git", append([]string{"-C", clone, "checkout", "--quiet"}, checkout...)...))
		if err := buildRelease(t, clone, version, dir, platforms[:1]); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, checksums(t, dir))
	}
	if len(sums[0]) != 4 {
		t.Errorf("%d files are built for one platform", len(sums[0]))
	}
	for name, sum := range sums[0] {
		if sum != sums[1][name] {
			t.Errorf("%s differs between two builds", name)
		}
	}
}

// checksums returns the published sums by file.
func checksums(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "sha256sums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	return sums
}

// Everything that was promised is there, and nothing else.
func TestRelease(t *testing.T) {
	dir := release(t)
	var want []string
	for _, platform := range platforms {
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
	got := slices.Sorted(maps.Keys(checksums(t, dir)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published files (-want +got):\n%s", diff)
	}
	check := command(t, "sha256sum", "--check", "--quiet", "sha256sums.txt")
	check.Dir = dir
	must(t, check)
}

func TestReleasedArchives(t *testing.T) {
	dir := release(t)
	for _, platform := range platforms {
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
			checkBinary(t, filepath.Join(unpacked, name, binary), platform)
			checkBill(t, filepath.Join(dir, name+".cdx.json"))
		})
	}
}

// checkBinary looks at how a binary was built and, if it can run here, asks it for its version.
func checkBinary(t *testing.T, path, platform string) {
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
	if platform != "linux-"+runtime.GOARCH {
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
	for _, module := range []string{"github.com/prometheus/client_golang", "github.com/aliyun/credentials-go", "golang.org/x/sync"} {
		if !slices.ContainsFunc(bill.Components, func(c struct{ Name, Version, PURL string }) bool {
			return c.Name == module && strings.HasPrefix(c.Version, "v") && strings.HasPrefix(c.PURL, "pkg:golang/"+module+"@")
		}) {
			t.Errorf("%s lacks %s", filepath.Base(path), module)
		}
	}
}
