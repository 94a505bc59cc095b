package rules

import (
	"os"
	"testing"

	"test/internal/exporter"
)

func TestMain(m *testing.M) {
	code := m.Run()
	exporter.Clean()
	os.Exit(code)
}
