package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"test/internal/exporter"
)

// net/http logs the first bytes that a server sends unasked. They do not reach the
// exporter's output.
func TestUnsolicitedText(t *testing.T) {
	t.Parallel()
	const mark = "unsolicited-mark"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				requests := bufio.NewReader(conn)
				for {
					if _, err := http.ReadRequest(requests); err != nil {
						return
					}
					const body = `{"Success":true,"TotalElements":0,"Items":[]}`
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 %s\r\n\r\n", len(body), body, mark)
				}
			}()
		}
	}()
	e := &endpoint{t: t, address: listener.Addr().String()}
	p := exporter.Start(t, exporter.Options{Config: e.config("", "dbsa"), Args: []string{"--log.level=debug"}})
	exporter.Eventually(t, func() error {
		if polls := p.Metrics()[exporter.Series(plan("polls_total", "dbsa", ""))]; polls < 3 {
			return fmt.Errorf("%v polls", polls)
		}
		return nil
	})
	if text := p.Stderr.String() + p.Stdout.String(); strings.Contains(text, mark) || strings.Contains(text, "Unsolicited") {
		t.Errorf("the output holds what the server sent:\n%s", text)
	}
}
