//go:build suites && linux

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"test/internal/exporter"
)

// inNamespace says that the test runs in a network of its own, where the metadata service's address is on loopback.
const inNamespace = "E2E_NETWORK_NAMESPACE"

// The metadata service of an ECS instance has a fixed address, which this test has in a network namespace of its own.
// A proxy is configured everywhere; requests to the metadata service do not take it.
func TestECSRole(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestECSRole$", "-test.v", "-test.timeout=2m")
		again.Env = append(os.Environ(), inNamespace+"=1", "EXPORTER_BINARY="+exporter.Binary(t))
		again.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestECSRole") {
			t.Fatalf("in a network namespace: %v\n%s", err, out)
		}
		return
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", "100.100.100.200/32", "dev", "lo"}} {
		if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	for _, block := range []string{
		"{type: ecs_ram_role}", "{type: ecs_ram_role, role_name: reader, disable_imds_v1: true}", "{type: default}",
		"{type: ram_role_arn, role_arn: '" + role + "', sts_endpoint: 'STS', source: {type: ecs_ram_role}}",
	} {
		t.Run(block, func(t *testing.T) {
			c := newCloud(t)
			listener, err := net.Listen("tcp", "100.100.100.200:80")
			if err != nil {
				t.Fatal(err)
			}
			metadata := &http.Server{Handler: c.Metadata("reader", keyMark)}
			go func() { _ = metadata.Serve(listener) }()
			defer metadata.Close()
			proxied := make(chan string, 100)
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				proxied <- r.Method + " " + r.Host
				http.Error(w, "this proxy leads nowhere", http.StatusBadGateway)
			}))
			defer proxy.Close()
			env := append(slices.Clone(c.env), "HOME=/nonexistent", "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=")
			config := "http_client: {proxy_from_environment: true}\n" + c.config(strings.Replace(block, "STS", c.sts, 1))
			p := exporter.Start(t, exporter.Options{Config: config, Env: env, Args: []string{"--log.level=debug"}})
			p.Polled()
			first, _ := p.Metrics().Value(expiry)
			exporter.Eventually(t, func() error {
				if at, _ := p.Metrics().Value(expiry); at < first+lifetime.Seconds() {
					return fmt.Errorf("credentials expire at %v, they did at %v", at, first)
				}
				return nil
			})
			page := p.Metrics()
			if err := page.Is(succeeded, 1); err != nil || page.Sum("aliyun_dbs_poll_failures_total") != 0 {
				t.Errorf("%v\n%s", err, p.Stderr)
			}
			for len(proxied) > 0 {
				t.Errorf("the proxy was asked for %s", <-proxied)
			}
			searchForKeys(t, p)
		})
	}
}
