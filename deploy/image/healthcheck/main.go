// Command healthcheck asks the exporter in the same container whether it is healthy. The image has no shell, and a
// client that speaks TLS would be a third of its size.
//
//	healthcheck [host:port]
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// timeout is shorter than the one in the Dockerfile, so that the reason is told.
const timeout = 3 * time.Second

func main() {
	address := "127.0.0.1:9977"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	said, err := ask(address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(said)
}

// ask returns what the exporter says, or an error if it is not well. One that wants TLS or a password does not say how
// it is: that it answers must do.
func ask(address string) (string, error) {
	deadline := time.Now().Add(timeout)
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.Dial("tcp", address) //nolint:noctx // the deadline bounds it
	if err != nil {
		return "", err
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "GET /-/healthy HTTP/1.0\r\nHost: "+address+"\r\n\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read status: %w", err)
	}
	switch _, status, _ := strings.Cut(strings.TrimSpace(line), " "); status {
	case "200 OK":
		return "healthy", nil
	case "400 Bad Request", "401 Unauthorized":
		return "up; behind TLS or a password, so that is all it tells", nil
	default:
		return "", fmt.Errorf("not healthy: %s", status)
	}
}
