package credentials_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	unreadable = "the answer is not readable"
	incomplete = "the answer lacks credentials"
	tooLarge   = "the answer is larger than 64 KiB (HTTP 200)"
	inTime     = "no answer in time"
	closed     = "connection closed before the answer was complete"
	ended      = "the keys had ended before they arrived, check this machine's clock"
	clock      = "the time of the request was rejected, check this machine's clock"
	denied     = "access denied, check the role's trust policy"
	failed     = "the service failed"
	// hung is how long three attempts take of which each uses its time, in
	// a renewal of 40 s.
	hung = 30*time.Second + pauses
	// pauses are between three attempts.
	pauses = 750 * time.Millisecond
)

// hostile are the answers of servers that are broken, or want to break the
// client.
var hostile = []struct {
	name  string
	say   answer
	cause string // empty: the keys are used
	asks  int
	took  time.Duration
}{
	{"good", keys(nil), "", 1, 0},
	{"more members", with("Policy", map[string]any{"x": []int{1}}), "", 1, 0},
	{"64 KiB", padded(64 << 10), "", 1, 0},
	{"64 KiB and a byte", padded(64<<10 + 1), tooLarge, 1, 0},
	{"one that hangs, then good", hangsOnce(), "", 2, 10*time.Second + 250*time.Millisecond},
	{"one that fails, then good", failsOnce(), "", 2, 250 * time.Millisecond},

	{"no key ID", without("AccessKeyId"), incomplete, 1, 0},
	{"no secret", without("AccessKeySecret"), incomplete, 1, 0},
	{"no token", without("SecurityToken"), incomplete, 1, 0},
	{"no expiration", without("Expiration"), incomplete, 1, 0},
	{"empty key ID", with("AccessKeyId", ""), incomplete, 1, 0},
	{"empty expiration", with("Expiration", ""), incomplete, 1, 0},
	{"null", with("AccessKeySecret", nil), incomplete, 1, 0},
	{"other case", replaced("AccessKeyId", "accesskeyid"), incomplete, 1, 0},
	{"expiration in words", with("Expiration", "tomorrow"), unreadable, 1, 0},
	{"expiration as a number", with("Expiration", 1893456000), unreadable, 1, 0},
	{"expiration without a zone", with("Expiration", "2100-01-02T15:04:05"), unreadable, 1, 0},
	{"ended", with("Expiration", "1999-12-31T23:59:59Z"), ended, 1, 0},
	{"ended now", keys(func(k map[string]any) { k["Expiration"] = time.Now().UTC().Format(time.RFC3339) }), ended, 1, 0},
	{"year zero", with("Expiration", "0000-01-01T00:00:00Z"), ended, 1, 0},
	{"key ID is a number", with("AccessKeyId", 1), unreadable, 1, 0},
	{"secret is a list", with("AccessKeySecret", []string{secretMark}), unreadable, 1, 0},
	{"token is an object", with("SecurityToken", map[string]string{"x": secretMark}), unreadable, 1, 0},
	{"token with a line break", with("SecurityToken", "x\r\nX-Acs-Evil: 1"), unreadable, 1, 0},
	{"key ID with a blank", with("AccessKeyId", "a b"), unreadable, 1, 0},
	{"secret beyond ASCII", with("AccessKeySecret", "Ⱥ"), unreadable, 1, 0},
	{"two key IDs", replaced(`"AccessKeyId":`, `"AccessKeyId":"other","AccessKeyId":`), unreadable, 1, 0},
	{"two answers", edited(func(s string) string { return s + s }), unreadable, 1, 0},
	{"half an answer", edited(func(s string) string { return s[:len(s)/2] }), unreadable, 1, 0},
	{"bytes that are no text", replaced("session-token", "\xff\xfe"), unreadable, 1, 0},
	{"deep", text(200, strings.Repeat("[", 60_000)), unreadable, 1, 0},
	{"nothing", text(200, ""), unreadable, 1, 0},
	{"null answer", text(200, "null"), incomplete, 1, 0},
	{"list", text(200, `["`+secretMark+`"]`), unreadable, 1, 0},
	{"text", text(200, `"`+secretMark+`"`), unreadable, 1, 0},
	{"page", text(200, "<html>"+secretMark+"</html>", "Content-Type: text/html"), unreadable, 1, 0},

	{"201", text(201, "{}"), unreadable + " (HTTP 201)", 1, 0},
	{"101 that goes on", hangs("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), unreadable + " (HTTP 101)", 1, 0},
	{"204", raw("HTTP/1.1 204 No Content\r\n\r\n"), unreadable + " (HTTP 204)", 1, 0},
	{"206", text(206, "{}"), unreadable + " (HTTP 206)", 1, 0},
	{"400", text(400, ""), "refused (HTTP 400)", 1, 0},
	{"404 page", text(404, "<html>"+secretMark), "refused (HTTP 404)", 1, 0},
	{"403 with a code", refusal(403, "NoPermission"), denied, 1, 0},
	{"echo", refusal(400, "SignatureDoesNotMatch"), "the access key was rejected", 1, 0},
	{"unknown code", refusal(400, secretMark), "refused (HTTP 400)", 1, 0},
	{"code of another type", text(400, `{"Code":["`+secretMark+`"]}`), "refused (HTTP 400)", 1, 0},
	{"clock", refusal(400, "InvalidTimeStamp.Expired"), clock, 1, 0},
	{"clock, in the other words", refusal(400, "IllegalTimestamp"), clock, 1, 0},
	{"throttled", refusal(400, "Throttling.User"), "throttled", 3, pauses},
	{"throttled, in the other words", refusal(400, "Rejected.Throttling"), "throttled", 3, pauses},
	{"408", text(408, ""), failed + " (HTTP 408)", 3, pauses},
	{"408 with a code", refusal(408, "RequestTimeout"), failed + " (HTTP 408)", 3, pauses},
	{"400 with a failure", refusal(400, "UnknownError"), failed, 3, pauses},
	{"incomplete signature", refusal(400, "IncompleteSignature"), "the signature arrived incomplete", 1, 0},
	{"another version", refusal(400, "InvalidVersion"), "the request was not understood", 1, 0},
	{"429", text(429, ""), "throttled (HTTP 429)", 3, pauses},
	{"500", text(500, secretMark), failed + " (HTTP 500)", 3, pauses},
	{"503 with a code", refusal(503, "ServiceUnavailable"), failed, 3, pauses},
	{"999", text(999, ""), failed + " (HTTP 999)", 3, pauses},

	{"301 to http", redirect(301, "http"), redirected(301), 1, 0},
	{"302 to http", redirect(302, "http"), redirected(302), 1, 0},
	{"303 to http", redirect(303, "http"), redirected(303), 1, 0},
	{"307 to http", redirect(307, "http"), redirected(307), 1, 0},
	{"308 to http", redirect(308, "http"), redirected(308), 1, 0},
	{"301 to https", redirect(301, "https"), redirected(301), 1, 0},
	{"302 to https", redirect(302, "https"), redirected(302), 1, 0},
	{"303 to https", redirect(303, "https"), redirected(303), 1, 0},
	{"307 to https", redirect(307, "https"), redirected(307), 1, 0},
	{"308 to https", redirect(308, "https"), redirected(308), 1, 0},
	{"307 without an address", text(307, ""), redirected(307), 1, 0},
	{"307 to nowhere", text(307, "", "Location: ://%zz"), redirected(307), 1, 0},

	{"bomb", func(w io.Writer, r *http.Request) bool {
		return text(200, bomb(), "Content-Encoding: gzip")(w, r)
	}, tooLarge, 1, 0},
	{"bomb in chunks", func(w io.Writer, _ *http.Request) bool {
		_, err := fmt.Fprintf(w, "HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(bomb()), bomb())
		return err == nil
	}, tooLarge, 1, 0},
	{"compressed", func(w io.Writer, r *http.Request) bool {
		return text(200, zipped(`{"AccessKeyId":"x"}`), "Content-Encoding: gzip")(w, r)
	}, unreadable, 1, 0},
	{"endless empty members of gzip", forever("HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\n\r\n", zipped(""), 0), tooLarge, 1, 0},
	{"endless body", forever("HTTP/1.1 200 X\r\n\r\n", strings.Repeat(" ", 1<<16), 0), tooLarge, 1, 0},
	{"endless error", forever("HTTP/1.1 500 X\r\n\r\n", strings.Repeat("x", 1<<16), 0), "the answer is larger than 64 KiB (HTTP 500)", 1, 0},
	{"endless headers", forever("HTTP/1.1 200 X\r\n", "X-More: "+strings.Repeat("x", 4000)+"\r\n", 0), "connection failed", 3, pauses},
	{"endless header", forever("HTTP/1.1 200 X\r\nX-More: ", strings.Repeat("x", 1<<16), 0), "connection failed", 3, pauses},
	{"endless status line", forever("HTTP/1.1 200 ", strings.Repeat("x", 1<<16), 0), "connection failed", 3, pauses},
	{"endless interim answers", forever("", "HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("x", 4000)+"\r\n\r\n", 0), "connection failed", 3, pauses},
	{"petabytes announced", raw("HTTP/1.1 200 X\r\nContent-Length: 9000000000000000\r\n\r\n{}"), closed, 3, pauses},
	{"more announced than sent", raw("HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{}"), closed, 3, pauses},
	{"broken chunks", raw("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "connection failed", 3, pauses},
	{"huge chunk", raw("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n"), "connection failed", 3, pauses},
	{"two lengths", raw("HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "connection failed", 3, pauses},
	{"no HTTP", raw("SSH-2.0-OpenSSH_9.6\r\n"), "connection failed", 3, pauses},
	{"closes without a word", raw(""), closed, 3, pauses},

	{"hangs", hangs(""), inTime, 3, hung},
	{"hangs after the status", hangs("HTTP/1.1 200 X\r\n"), inTime, 3, hung},
	{"hangs in the body", hangs("HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{"), inTime, 3, hung},
	{"slow body", forever("HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n", " ", time.Second), inTime, 3, hung},
	{"slow headers", forever("HTTP/1.1 200 X\r\n", "X: x\r\n", time.Second), inTime, 3, hung},
}

// For everything a server may do, the outcome is known: the error, how often
// the server is asked, how long it takes, how much is read and kept. Nobody
// else is asked, and no secret is in the error.
func TestHostileServers(t *testing.T) {
	for _, tt := range hostile {
		for name, place := range places {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				bomb()
				synctest.Test(t, func(t *testing.T) {
					n := &network{}
					n.serveAll(tt.say)
					client := n.client(nil)
					p := sources(t, client)[name]
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					begin := time.Now()
					cred, err := p.Get(t.Context())
					took := time.Since(begin)
					runtime.ReadMemStats(&after)

					want := ""
					if tt.cause != "" {
						want = place + tt.cause
					}
					if got := fmt.Sprint(err); tt.cause != "" && got != want || tt.cause == "" && (err != nil || cred.SecurityToken() != "session-token") {
						t.Errorf("got %v, want %q", err, want)
					}
					if err != nil {
						searchFor(t, tt.name, fmt.Sprintf("%v %+v %#v", err, err, err))
					}
					wantTook := tt.took
					if strings.HasPrefix(name, "ECS") && wantTook >= 10*time.Second { // a request may take 2 s there
						wantTook = wantTook%time.Second + wantTook/5/time.Second*time.Second
					}
					asked := tt.asks
					if strings.HasPrefix(name, "ECS") && tt.name == "closes without a word" {
						asked *= 2 // net/http asks again on a new connection, because the request for the token used this one
					}
					if asks := len(n.asks()); asks != asked || took != wantTook {
						t.Errorf("%d requests for keys in %v, want %d in %v", asks, took, asked, wantTook)
					}
					n.dialed.Range(func(address, _ any) bool {
						if n.hosts[address.(string)] == nil {
							t.Errorf("%v was asked", address)
						}
						return true
					})
					// An answer's 64 KiB, the headers' 64
					// KiB, buffers and the handshake, for
					// each attempt.
					if most := int64(tt.asks) * 160 << 10; n.read.Load() > most {
						t.Errorf("%d bytes were read, more than %d", n.read.Load(), most)
					}
					if got := after.TotalAlloc - before.TotalAlloc; got > uint64(tt.asks)*3<<20 {
						t.Errorf("%d kB were allocated", got>>10)
					}
					n.closed(t, client)
				})
			})
		}
	}
}
