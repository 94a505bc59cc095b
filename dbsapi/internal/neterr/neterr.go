// Package neterr describes network failures in words of its own, because the errors of net/http carry URLs, with the
// secrets in their queries, and bytes of the answer.
package neterr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
)

// Cause is a network failure.
type Cause struct {
	// Text says what happened.
	Text string
	// Timeout: the time ran out.
	Timeout bool
	// Permanent reports that another attempt cannot succeed before somebody changes
	// something.
	Permanent bool
}

// Describe finds the cause of an error. One that it does not know is a failed connection.
func Describe(err error) Cause {
	var (
		netErr     net.Error
		dnsErr     *net.DNSError
		fileErr    *fs.PathError
		hostErr    x509.HostnameError
		unknownErr x509.UnknownAuthorityError
		certErr    *tls.CertificateVerificationError
		recordErr  tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return Cause{Text: "no answer in time", Timeout: true}
	case errors.As(err, &fileErr): // the only files of a connection are those of its TLS configuration
		return Cause{Text: "a file of certificates or of their key cannot be read"}
	case errors.As(err, &dnsErr):
		return Cause{Text: "the host's name could not be resolved"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Cause{Text: "connection refused"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Cause{Text: "connection reset"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Cause{Text: "no route to the host"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Cause{Text: "connection closed before the answer was complete"}
	case errors.As(err, &hostErr):
		return Cause{Text: "the server's certificate is for another host", Permanent: true}
	case errors.As(err, &unknownErr):
		return Cause{Text: "the server's certificate is signed by an unknown authority", Permanent: true}
	case errors.As(err, &certErr):
		return Cause{Text: "the server's certificate is not valid", Permanent: true}
	case errors.As(err, &recordErr), errors.Is(err, http.ErrSchemeMismatch):
		return Cause{Text: "the server does not speak TLS", Permanent: true}
	}
	return Cause{Text: "connection failed"}
}
