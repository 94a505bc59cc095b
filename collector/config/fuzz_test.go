package config_test

import (
	"errors"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"aliyun_dbs_exporter/collector/config"
)

// lineBreak ends a line in YAML.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// allocated is the memory that a file may take while it is read: a constant
// part, for what aliases stand for and for regular expressions, and a part for
// each byte. It limits the time as well, which a test cannot measure.
func allocated(size int) uint64 { return 64<<20 + 20_000*uint64(size) }

// Reading a file ends in bounded time and memory. Its error names a line of the
// file and holds no value, and names that become labels are text.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(allSecrets)
	f.Add(wholeExample(f))
	for _, tests := range badConfigs(f) {
		for _, tt := range tests {
			if len(tt.text) < 10_000 {
				f.Add(tt.text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "_file") {
			return // would read files that the fuzzer names
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := config.Parse([]byte(text), "fuzz.yml")
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > allocated(len(text)) {
			t.Errorf("%d bytes take %d MB", len(text), got>>20)
		}
		if err == nil {
			holdsLabels(t, c)
			holdsNoMark(t, printed(t, c))
			return
		}
		mistake, ok := errors.AsType[*config.Error](err)
		if !ok {
			t.Fatalf("error %v names no line", err)
		}
		if mistake.Line < 1 || mistake.Line > len(lineBreak.FindAllString(text, -1))+2 {
			t.Errorf("line is %d in %q", mistake.Line, text)
		}
		holdsNoMark(t, err.Error())
	})
}

func holdsLabels(t *testing.T, c *config.Config) {
	t.Helper()
	if len(c.Targets) == 0 {
		t.Error("accepted no targets")
	}
	for _, target := range c.Targets {
		names := []string{target.Account, target.RegionID}
		for _, plan := range target.Plans {
			names = append(names, plan.ID, plan.Name)
		}
		for _, name := range names {
			if !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\n\r") {
				t.Errorf("name is %q", name)
			}
		}
	}
}
