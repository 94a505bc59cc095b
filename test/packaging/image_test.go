//go:build suites

package packaging

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"test/internal/exporter"
)

// maxImageSize is what an image may hold, unpacked.
const maxImageSize = 20 << 20

// imageConfig is the part of an image's configuration that its Dockerfile says.
type imageConfig struct {
	Architecture string
	Config       struct {
		User         string
		ExposedPorts map[string]struct{}
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Labels       map[string]string
		Healthcheck  struct{ Test []string }
	}
}

// images is a storage of images and containers of the test's own.
type images struct {
	t    *testing.T
	root string
}

func newImages(t *testing.T) *images {
	t.Helper()
	return &images{t: t, root: t.TempDir()}
}

func (i *images) buildah(args ...string) string {
	i.t.Helper()
	store := []string{"--root", filepath.Join(i.root, "storage"), "--runroot", filepath.Join(i.root, "run"), "--storage-driver", "overlay"}
	return strings.TrimSpace(must(i.t, command(i.t, "buildah", append(store, args...)...)))
}

// builder commits an image to build in, since none can be pulled: a shell and CA roots. Go is mounted. It says that it is
// for arch because this buildah looks for one of the platform that is built for, although the Dockerfile asks for one of
// the platform that builds.
func (i *images) builder(arch string) string {
	i.t.Helper()
	name := "localhost/golang-" + arch
	container := i.buildah("from", "--pull=never", "scratch")
	defer i.buildah("rm", container)
	busybox := exporter.Tool(i.t, "busybox")
	i.buildah("add", container, busybox, "/bin/busybox")
	i.buildah("add", container, busybox, "/bin/sh")
	i.buildah("add", container, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
	i.buildah("config", "--arch", arch, "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOPROXY=file:///modules",
		"--env", "GOTOOLCHAIN=local", "--env", "GOCACHE=/cache", "--env", "TMPDIR=/", container)
	i.buildah("commit", "--quiet", container, name)
	return name
}

// build builds the project's Dockerfile.
func (i *images) build(arch string) (name string, config imageConfig) {
	i.t.Helper()
	name = "localhost/aliyun_dbs_exporter:" + arch
	env := func(key string) string { return strings.TrimSpace(must(i.t, command(i.t, "go", "env", key))) }
	// The builder has no network: its proxy is what this machine has downloaded, which is less than it will ask for.
	download := command(i.t, "go", "mod", "download")
	download.Dir = exporter.Root(i.t)
	must(i.t, download)
	i.buildah("build", "--format", "docker", "--isolation", "chroot", "--pull=never", "--platform", "linux/"+arch,
		"--volume", env("GOROOT")+":/usr/local/go:ro", "--volume", env("GOMODCACHE")+"/cache/download:/modules:ro", "--volume", env("GOCACHE")+":/cache",
		"--build-arg", "BUILDER="+i.builder(arch), "--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=0123456", "--tag", name, exporter.Root(i.t))
	var inspected struct{ Docker imageConfig }
	if err := json.Unmarshal([]byte(i.buildah("inspect", "--type", "image", name)), &inspected); err != nil {
		i.t.Fatal(err)
	}
	return name, inspected.Docker
}

// mount shows the files of an image in a folder until the test ends.
func (i *images) mount(name string) string {
	i.t.Helper()
	container := i.buildah("from", "--pull=never", name)
	i.t.Cleanup(func() { i.buildah("rm", container) })
	return i.buildah("mount", container)
}

// The image is built as its Dockerfile says, and holds what it needs and no more.
func TestImage(t *testing.T) {
	store := newImages(t)
	for _, arch := range []string{"amd64", "arm64"} {
		name, config := store.build(arch)
		if config.Architecture != arch {
			t.Errorf("%s: it is for %s", name, config.Architecture)
		}
		c := config.Config
		if c.User != "65532:65532" || len(c.Cmd) > 0 {
			t.Errorf("%s: user %q, command %q", name, c.User, c.Cmd)
		}
		if _, ok := c.ExposedPorts["9977/tcp"]; !ok {
			t.Errorf("%s: exposed ports are %v", name, c.ExposedPorts)
		}
		if got := c.Labels["org.opencontainers.image.version"] + " " + c.Labels["org.opencontainers.image.revision"]; got != "1.2.3 0123456" {
			t.Errorf("%s: labels are %v", name, c.Labels)
		}
		files, size := listFiles(t, store.mount(name))
		want := []string{
			"bin/aliyun_dbs_exporter -rwxr-xr-x", "bin/healthcheck -rwxr-xr-x", "etc/ssl/certs/ca-certificates.crt -rw-r--r--",
			"usr/share/doc/aliyun_dbs_exporter/LICENSE -rw-r--r--", "usr/share/doc/aliyun_dbs_exporter/config.example.yml -rw-r--r--",
		}
		if diff := cmp.Diff(want, files); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", name, diff)
		}
		if size > maxImageSize {
			t.Errorf("%s holds %d bytes, want %d at most", name, size, maxImageSize)
		}
		t.Logf("%s holds %.1f MB", name, float64(size)/1e6)
		if arch == runtime.GOARCH {
			testContainer(t, store.mount(name), config)
		}
	}
}

func listFiles(t *testing.T, root string) (files []string, size int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		path, err = filepath.Rel(root, path)
		files, size = append(files, path+" "+info.Mode().String()), size+info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, size
}

// testContainer runs an image by what its configuration says, without root and on a root file system that nobody can
// write to, scrapes it, asks for its health as an engine would, and stops it.
func testContainer(t *testing.T, root string, image imageConfig) {
	const id = "exporter"
	address := exporter.FreeAddress(t)
	bundle, state := t.TempDir(), t.TempDir()
	args := slices.Concat(image.Config.Entrypoint, []string{"--demo", "--web.listen-address=" + address})
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), runtimeSpec(t, root, image, args), 0o600); err != nil {
		t.Fatal(err)
	}
	runc := func(args ...string) string {
		return must(t, command(t, "runc", append([]string{"--root", state}, args...)...))
	}
	var log exporter.Output
	container := command(t, "runc", "--root", state, "run", "--bundle", bundle, id)
	container.Stdout, container.Stderr = &log, &log
	if err := container.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- container.Wait() }()
	var page exporter.Page
	exporter.Eventually(t, func() (err error) {
		text, err := output(command(t, "curl", "--silent", "--show-error", "--fail", "http://"+address+"/metrics"))
		if err != nil {
			return fmt.Errorf("%w, the container says: %s", err, &log)
		}
		if page, err = exporter.ParsePage(text); err != nil {
			return err
		}
		return page.Is(`aliyun_dbs_poll_success{account="demo",plan_id="dbsdemoorders01",region_id="cn-hangzhou"}`, 1)
	})
	if page.Sum("aliyun_dbs_exporter_build_info", `version="1.2.3"`, `revision="0123456"`) != 1 {
		t.Error("the page does not tell the version that the image was built with")
	}

	var process struct{ Pid int }
	if err := json.Unmarshal([]byte(runc("state", id)), &process); err != nil {
		t.Fatal(err)
	}
	facts := statusFacts(must(t, command(t, "cat", fmt.Sprintf("/proc/%d/status", process.Pid))))
	for key, want := range map[string]string{"Uid": "65532\t65532\t65532\t65532", "Gid": "65532\t65532\t65532\t65532", "CapEff": "0000000000000000", "NoNewPrivs": "1"} {
		if facts[key] != want {
			t.Errorf("%s of the process is %q, want %q", key, facts[key], want)
		}
	}
	if mounts := must(t, command(t, "head", "-n", "1", fmt.Sprintf("/proc/%d/mountinfo", process.Pid))); !strings.Contains(mounts, " / ro") {
		t.Errorf("the root file system is not read-only: %s", mounts)
	}

	check := slices.Clone(image.Config.Healthcheck.Test)
	if len(check) != 2 || check[0] != "CMD" {
		t.Fatalf("the health check is %q", check)
	}
	if said := runc("exec", id, check[1], address); said != "healthy\n" {
		t.Errorf("the health check says %q", said)
	}
	if _, err := output(command(t, "runc", "--root", state, "exec", id, check[1], exporter.FreeAddress(t))); err == nil {
		t.Error("the health check is content where nobody listens")
	}

	runc("kill", id, "TERM")
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the container ended with %v: %s", err, &log)
		}
	case <-time.After(haltTimeout):
		t.Errorf("the container does not end: %s", &log)
	}
}

// runtimeSpec is the smallest OCI runtime specification that runs args as the image says.
func runtimeSpec(t *testing.T, root string, image imageConfig, args []string) []byte {
	t.Helper()
	var uid, gid int
	if _, err := fmt.Sscanf(image.Config.User, "%d:%d", &uid, &gid); err != nil {
		t.Fatalf("user %q of the image: %v", image.Config.User, err)
	}
	type object = map[string]any
	text, err := json.Marshal(object{
		"ociVersion": "1.0.2",
		"process": object{
			"user": object{"uid": uid, "gid": gid}, "args": args, "env": image.Config.Env, "cwd": "/",
			"noNewPrivileges": true, "capabilities": object{},
		},
		"root":   object{"path": root, "readonly": true},
		"mounts": []object{{"destination": "/proc", "type": "proc", "source": "proc"}},
		"linux":  object{"namespaces": []object{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
