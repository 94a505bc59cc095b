//go:build suites

package packaging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"test/internal/exporter"
)

const (
	unit       = "aliyun_dbs_exporter.service"
	configFile = "/etc/aliyun_dbs_exporter/config.yml"
	flagsFile  = "/etc/default/aliyun_dbs_exporter"
)

// withSecret is a configuration whose secret systemd hands over. Nothing listens at its endpoint.
const withSecret = `targets:
  - region_id: cn-hangzhou
    endpoint: http://127.0.0.1:1
    credentials:
      type: access_key
      access_key_id: LTAI5t7examplekeyid
      access_key_secret_file: /run/credentials/aliyun_dbs_exporter.service/access_key_secret
    plans: [{id: dbsexample1}]
`

// The life of the Debian package on a server that systemd runs, from its installation to its end. Each part builds on
// the ones before.
func TestDebianPackage(t *testing.T) {
	path := deb(t)
	m := boot(t)
	first := m.copy(path)
	next := m.copy(repack(t, path))
	for _, part := range []struct {
		name string
		test func(t *testing.T, m *machine)
	}{
		{"installed, not started", func(t *testing.T, m *machine) { testInstalled(t, m, first) }},
		{"hardened", testHardened},
		{"started", testStarted},
		{"confined", testConfined},
		{"reloaded", testReloaded},
		{"given a secret", testSecret},
		{"given a bad configuration", testBadConfiguration},
		{"upgraded", func(t *testing.T, m *machine) { testUpgraded(t, m, next) }},
		{"removed", testRemoved},
		{"unpacked from an archive, without a user", testArchive},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			parent := m.t
			m.t = t
			defer func() { m.t = parent }()
			part.test(t, m)
		}) {
			t.Fatalf("the log of the unit:\n%s", m.log(unit))
		}
	}
}

// repack gives a package a newer version.
func repack(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, command(t, "dpkg-deb", "--raw-extract", path, dir+"/package"))
	must(t, command(t, "sed", "--in-place", "s/^Version: .*/Version: 99.0.0/", dir+"/package/DEBIAN/control"))
	must(t, command(t, "dpkg-deb", "--build", "-Znone", dir+"/package", dir+"/next.deb"))
	return dir + "/next.deb"
}

func testInstalled(t *testing.T, m *machine, file string) {
	m.run("apt-get", "install", "--yes", "--no-install-recommends", file)
	if state, _ := m.try("systemctl", "is-active", unit); strings.TrimSpace(state) != "inactive" {
		t.Errorf("the unit is %s", state)
	}
	if state, _ := m.try("systemctl", "is-enabled", unit); strings.TrimSpace(state) != "disabled" {
		t.Errorf("the unit is %s", state)
	}
	got := m.run("stat", "--format=%n %A %U:%G", "/etc/aliyun_dbs_exporter", configFile, flagsFile, "/usr/bin/aliyun_dbs_exporter")
	want := strings.Join([]string{
		"/etc/aliyun_dbs_exporter drwxr-x--- root:aliyun_dbs_exporter",
		configFile + " -rw-r----- root:aliyun_dbs_exporter",
		flagsFile + " -rw-r--r-- root:root",
		"/usr/bin/aliyun_dbs_exporter -rwxr-xr-x root:root",
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	m.run("/usr/bin/aliyun_dbs_exporter", "--config.check", "--config.file="+configFile)
}

// testHardened asks systemd what it thinks of the unit; 20 stands for an exposure of 2.0 of 10.
func testHardened(t *testing.T, m *machine) {
	// It warns on standard error and exits with 0.
	if said := m.run("sh", "-c", "systemd-analyze verify --man=no /usr/lib/systemd/system/"+unit+" 2>&1"); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	m.run("systemd-analyze", "security", "--threshold=20", unit)
}

func testStarted(t *testing.T, m *machine) {
	m.write(flagsFile, "ALIYUN_DBS_EXPORTER_DEMO=true\n")
	m.run("systemctl", "enable", "--now", unit)
	exporter.Eventually(t, func() error {
		page, err := scrape(m)
		if err != nil {
			return err
		}
		if page.Sum("aliyun_dbs_exporter_build_info", `version="`+version+`"`) != 1 {
			return errors.New("the page does not tell the version of the release")
		}
		// It comes from /proc/stat, which some hardening hides.
		if page.Sum("process_start_time_seconds") == 0 {
			return errors.New("the page does not tell when the process started")
		}
		return page.Is(`aliyun_dbs_poll_success{account="demo",plan_id="dbsdemobilling1",region_id="cn-shanghai"}`, 1)
	})
	if log := m.log(unit); !strings.Contains(log, `msg="Listening on"`) {
		t.Errorf("the journal lacks the exporter's log:\n%s", log)
	}
}

func scrape(m *machine) (exporter.Page, error) {
	text, err := m.try("curl", "--silent", "--show-error", "--fail", "http://127.0.0.1:9977/metrics")
	if err != nil {
		return nil, err
	}
	return exporter.ParsePage(text)
}

// testConfined looks at the running process: no root, no capability, no way to get any, system calls filtered.
func testConfined(t *testing.T, m *machine) {
	facts := statusFacts(m.run("cat", "/proc/"+mainPID(m)+"/status"))
	uid := m.run("id", "--user", "aliyun_dbs_exporter")
	want := map[string]string{
		"Uid": strings.Join([]string{uid, uid, uid, uid}, "\t"), "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
	}
	for key, value := range want {
		if facts[key] != value {
			t.Errorf("%s is %q, want %q", key, facts[key], value)
		}
	}
	// In the mounts that the process sees, not even root can write.
	for _, path := range []string{"/etc/aliyun_dbs_exporter/x", "/var/lib/x", "/usr/bin/x"} {
		if _, err := m.try("nsenter", "--target="+mainPID(m), "--mount", "--", "touch", path); err == nil || !strings.Contains(err.Error(), "Read-only file system") {
			t.Errorf("it can write %s: %v", path, err)
		}
	}
}

// statusFacts reads /proc/<pid>/status.
func statusFacts(text string) map[string]string {
	facts := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		facts[key] = value
	}
	return facts
}

func mainPID(m *machine) string {
	return m.run("systemctl", "show", "--property=MainPID", "--value", unit)
}

func testReloaded(t *testing.T, m *machine) {
	before := mainPID(m)
	m.run("systemctl", "reload", unit)
	exporter.Eventually(t, func() error {
		if log := m.log(unit); !strings.Contains(log, `msg="Configuration loaded"`) {
			return fmt.Errorf("the journal does not tell of a reload:\n%s", log)
		}
		return nil
	})
	if after := mainPID(m); after != before {
		t.Errorf("the process changed from %s to %s", before, after)
	}
}

func testSecret(t *testing.T, m *machine) {
	m.write(flagsFile, "")
	m.write(configFile, withSecret)
	m.write("/etc/credstore/aliyun_dbs_exporter.access_key_secret", "not-a-secret\n")
	m.run("systemctl", "restart", unit)
	exporter.Eventually(t, func() error {
		page, err := scrape(m)
		if err != nil {
			return err
		}
		// It got as far as sending requests, so it has read the secret.
		if page.Sum("aliyun_dbs_api_request_failures_total", `reason="network"`) == 0 || page.Sum("aliyun_dbs_api_request_failures_total", `reason="credentials"`) != 0 {
			return errors.New("no request was tried")
		}
		return nil
	})
}

// testBadConfiguration sees the start fail, with the reason in the journal.
func testBadConfiguration(t *testing.T, m *machine) {
	m.write(configFile, strings.Replace(withSecret, "plans:", "plan:", 1))
	if _, err := m.try("systemctl", "restart", unit); err == nil {
		t.Error("the restart succeeded")
	}
	if log := m.log(unit); !strings.Contains(log, configFile+":8: targets[0].plan: unknown key; the keys here are account, region_id") {
		t.Errorf("the journal lacks the reason:\n%s", log)
	}
	m.write(configFile, withSecret)
	m.run("systemctl", "restart", unit)
}

func testUpgraded(t *testing.T, m *machine, file string) {
	before := mainPID(m)
	m.run("apt-get", "install", "--yes", "--no-install-recommends", file)
	if version := m.run("dpkg-query", "--show", "--showformat=${Version}", "aliyun-dbs-exporter"); version != "99.0.0" {
		t.Errorf("version is %s", version)
	}
	if diff := cmp.Diff(strings.TrimSpace(withSecret), m.run("cat", configFile)); diff != "" {
		t.Errorf("the configuration changed (-want +got):\n%s", diff)
	}
	if owner := m.run("stat", "--format=%A %U:%G", configFile); owner != "-rw-r----- root:aliyun_dbs_exporter" {
		t.Errorf("the configuration is %s", owner)
	}
	if state := m.run("systemctl", "is-active", unit); state != "active" {
		t.Errorf("the unit is %s", state)
	}
	if mainPID(m) == before {
		t.Error("the old process still runs")
	}
}

func testRemoved(t *testing.T, m *machine) {
	m.run("systemctl", "stop", unit)
	if result := m.run("systemctl", "show", "--property=Result", "--property=ExecMainStatus", unit); result != "Result=success\nExecMainStatus=0" {
		t.Errorf("it stopped with %s", result)
	}
	m.run("systemctl", "start", unit)
	m.run("apt-get", "remove", "--yes", "aliyun-dbs-exporter")
	if state, _ := m.try("systemctl", "is-active", unit); strings.TrimSpace(state) != "inactive" {
		t.Errorf("the unit is %s", state)
	}
	m.run("test", "-e", configFile)
	m.run("apt-get", "purge", "--yes", "aliyun-dbs-exporter")
	m.run("test", "!", "-e", "/etc/aliyun_dbs_exporter")
	m.run("test", "!", "-e", flagsFile)
}

// testArchive installs by hand what an archive holds. systemd makes a user up.
func testArchive(t *testing.T, m *machine) {
	m.run("userdel", "aliyun_dbs_exporter")
	dir := release(t)
	name := "aliyun_dbs_exporter-" + version + ".linux-" + runtime.GOARCH
	m.run("tar", "--extract", "--file", m.copy(filepath.Join(dir, name+".tar.gz")), "--directory=/")
	m.run("install", "/"+name+"/aliyun_dbs_exporter", "/usr/bin/")
	m.run("install", "-m", "0644", m.copy(filepath.Join(exporter.Root(t), "deploy/systemd/"+unit)), "/etc/systemd/system/")
	m.run("install", "-D", "-m", "0644", "/"+name+"/config.example.yml", configFile)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "start", unit)
	exporter.Eventually(t, func() error {
		page, err := scrape(m)
		if err != nil {
			return err
		}
		return page.Is(`aliyun_dbs_plan_info{account="production",database_type="",plan_id="dbsqhnuhyw3abcd",plan_name="orders-mysql",region_id="cn-hangzhou",resource_group_id=""}`, 1)
	})
	m.run("systemctl", "stop", unit)
}

// The RPM holds the same files with the same rights, and keeps what was edited.
func TestRPM(t *testing.T) {
	dir := release(t)
	file := filepath.Join(dir, "aliyun-dbs-exporter-"+strings.Replace(version, "-", "~", 1)+"-1.x86_64.rpm")
	listed := must(t, command(t, "rpm", "--query", "--package", "--queryformat", `[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}\n]`, file))
	got := strings.Split(strings.TrimRight(listed, "\n"), "\n")
	slices.Sort(got)
	want := []string{
		"/etc/aliyun_dbs_exporter drwxr-x--- root:aliyun_dbs_exporter ",
		"/etc/aliyun_dbs_exporter/config.yml -rw-r----- root:aliyun_dbs_exporter cn",
		"/etc/default/aliyun_dbs_exporter -rw-r--r-- root:root cn",
		"/usr/bin/aliyun_dbs_exporter -rwxr-xr-x root:root ",
		"/usr/lib/systemd/system/aliyun_dbs_exporter.service -rw-r--r-- root:root ",
		"/usr/share/doc/aliyun-dbs-exporter/config.example.yml -rw-r--r-- root:root ",
		"/usr/share/doc/aliyun-dbs-exporter/copyright -rw-r--r-- root:root ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	scripts := must(t, command(t, "rpm", "--query", "--package", "--scripts", file))
	for _, name := range []string{"preinstall", "postinstall", "preremove", "postremove"} {
		text, err := os.ReadFile(filepath.Join(exporter.Root(t), "deploy/systemd/package", name+".sh"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(scripts, strings.TrimSpace(string(text))) {
			t.Errorf("the %s script is not in the package:\n%s", name, scripts)
		}
	}
}
