//go:build suites

package packaging

import (
	"slices"
	"strings"
	"testing"
)

// Values that cannot work are refused before anything is installed, with a reason.
func TestChartRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"{}":                               "nothing to poll: set config with at least one target, existingConfigMap, or demo: true",
		"config: {targets: []}":            "- at '/config/targets': minItems: got 0, want 1",
		"config: {targets: [{plans: []}]}": "- at '/config/targets/0': missing property 'region_id'",
		targets + "demo: true":             "demo runs without a configuration: unset config and existingConfigMap",
		targets + "existingConfigMap: x":   "config and existingConfigMap are both set: which one counts?",
		"{demo: true, secret: {data: {a: b}}, existingSecret: x}":                          "secret.data and existingSecret are both set: which one counts?",
		"{demo: true, webConfig: {existingSecret: x, data: {rate_limit: {burst: 1}}}}":     "webConfig.data and webConfig.existingSecret are both set: which one counts?",
		"{demo: true, webConfig: {tlsSecret: x}}":                                          "webConfig.tlsSecret needs a web.yml that names its files: set webConfig.data.tls_server_config",
		"{demo: true, replicas: 2}":                                                        "- at '': additional properties 'replicas' not allowed",
		"{demo: true, sharding: {count: 0}}":                                               "- at '/sharding/count': minimum: got 0, want 1",
		"{demo: true, sharding: {count: 1.5}}":                                             "- at '/sharding/count': got number, want integer",
		"{demo: true, image: {tag: latest@x}}":                                             "- at '/image/tag': 'latest@x' does not match pattern '^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$'",
		"{demo: true, image: {digest: sha256:12}}":                                         "- at '/image/digest': 'sha256:12' does not match pattern '^(sha256:[0-9a-f]{64})?$'",
		"{demo: true, image: {repository: a:v1}}":                                          "- at '/image/repository': 'a:v1' does not match pattern '^[^:@ ]+(:[0-9]+/[^:@ ]+)?$'",
		"{demo: true, image: {pullPolicy: Sometimes}}":                                     "- at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
		"{demo: true, secret: {data: {a/b: c}}}":                                           "'a/b' does not match pattern '^[-._a-zA-Z0-9]+$'",
		"{demo: true, secret: {data: {a: 1}}}":                                             "- at '/secret/data/a': got number, want string",
		"{demo: true, secret: {data: {a: ''}}}":                                            "- at '/secret/data/a': minLength: got 0, want 1",
		"{demo: true, extraArgs: [log.level=debug]}":                                       "- at '/extraArgs/0': 'log.level=debug' does not match pattern '^--'",
		"{demo: true, podAnnotations: {a: true}}":                                          "- at '/podAnnotations/a': got boolean, want string",
		"{demo: true, webConfig: {data: {basic_auth: {}}}}":                                "- at '/webConfig/data': additional properties 'basic_auth' not allowed",
		"{demo: true, probes: {liveness: {tcpSocket: {port: 1}}}}":                         "- at '/probes/liveness': additional properties 'tcpSocket' not allowed",
		"{demo: true, service: {port: 99770}}":                                             "- at '/service/port': maximum: got 99,770, want 65,535",
		"{demo: true, serviceMonitor: {interval: 1 minute}}":                               "- at '/serviceMonitor/interval': '1 minute' does not match pattern '^(([0-9]+)(ms|s|m|h))*$'",
		"{demo: true, strategy: {type: Parallel}}":                                         "- at '/strategy/type': value must be one of 'Recreate', 'RollingUpdate'",
		"{demo: true, serviceAccount: {rrsa: {roleName: 'acs:ram::123:role/dbs-reader'}}}": "- at '/serviceAccount/rrsa/roleName': 'acs:ram::123:role/dbs-reader' does not match pattern '^[A-Za-z0-9.@_-]{0,64}$'",
	} {
		_, err := tryRender(t, chartFolder(t), values)
		if err == nil {
			t.Errorf("%s: it is accepted", values)
			continue
		}
		if !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.HasSuffix(line, want) }) {
			t.Errorf("%s: %v\nwant %s", values, err, want)
		}
	}
}
