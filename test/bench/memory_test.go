//go:build !race

package main

// The race detector lets sync.Pool drop buffers at random, so these figures are for builds without it.

import (
	"runtime"
	"testing"
)

// Memory, unlike time, is the same on a busy machine. Measured are about a fortieth of the core of the current official
// SDKs and a tenth of the legacy SDK; the bounds leave room for a new version of either.
func TestMemory(t *testing.T) {
	peers := startPeers(t)
	ours, core, legacy := allocated(t, peers[0]), allocated(t, peers[1]), allocated(t, peers[2])
	t.Logf("bytes allocated for a page: %d ours, %d core, %d legacy", ours, core, legacy)
	if core < 20*ours {
		t.Errorf("a page allocates %d bytes, want less than a twentieth of the core's %d", ours, core)
	}
	if legacy < 5*ours {
		t.Errorf("a page allocates %d bytes, want less than a fifth of the legacy SDK's %d", ours, legacy)
	}
}

// allocated returns how many bytes one fetch allocates, server included, which allocates nothing.
func allocated(t *testing.T, p peer) uint64 {
	t.Helper()
	const fetches = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range fetches {
		if _, err := p.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / fetches
}
