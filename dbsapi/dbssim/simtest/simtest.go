// Package simtest helps tests of several packages to run the exporter against a
// simulated API.
package simtest

import (
	"context"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Network connects clients and a server in memory, so that testing/synctest can
// run time forward: a goroutine that waits on a real socket never lets it.
type Network struct {
	conns  chan net.Conn
	closed chan struct{}
}

// Serve serves a handler until the test ends, and returns the network by which
// clients reach it under any address.
func Serve(t testing.TB, handler http.Handler) *Network {
	t.Helper()
	n := &Network{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Hour, // a bubble's time runs fast
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(n)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return n
}

// Dial connects to the server, whatever the address.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the server's side of a connection.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the network.
func (n *Network) Close() error {
	close(n.closed)
	return nil
}

// Addr is the address of the listener.
func (n *Network) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

var update = flag.Bool("update", false, "rewrite the golden files")

// Golden compares a text with a file below testdata, or writes the file if the
// test runs with -update.
func Golden(t testing.TB, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update if that is right:\n%s", path, diff)
	}
}

// Updating reports whether golden files are rewritten.
func Updating() bool { return *update }
