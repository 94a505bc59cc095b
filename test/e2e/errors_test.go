package e2e

import (
	"errors"
	"syscall"
)

var errNothingChanges = errors.New("nothing changes")

var stopSignals = map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT}
