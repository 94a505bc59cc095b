package credentials_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// raw is an answer that is sent as it is; the connection is closed behind it.
func raw(s string) answer {
	return func(w io.Writer, _ *http.Request) bool {
		_, _ = io.WriteString(w, s)
		return false
	}
}

// text is a well-formed answer.
func text(status int, body string, headers ...string) answer {
	return func(w io.Writer, _ *http.Request) bool {
		_, err := fmt.Fprintf(w, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s", status, len(body), lines(headers), body)
		return err == nil
	}
}

func lines(headers []string) string {
	var all strings.Builder
	for _, h := range headers {
		all.WriteString(h + "\r\n")
	}
	return all.String()
}

// keys is a good answer with a change.
func keys(change func(map[string]any)) answer {
	return func(w io.Writer, r *http.Request) bool {
		body, err := json.Marshal(goodKeys(change))
		if err != nil {
			panic(err)
		}
		return text(http.StatusOK, string(body))(w, r)
	}
}

func with(name string, value any) answer {
	return keys(func(k map[string]any) { k[name] = value })
}

func without(name string) answer {
	return keys(func(k map[string]any) { delete(k, name) })
}

// edited is a good answer whose text is changed.
func edited(edit func(string) string) answer {
	return func(w io.Writer, r *http.Request) bool {
		body, err := json.Marshal(goodKeys(nil))
		if err != nil {
			panic(err)
		}
		return text(http.StatusOK, edit(string(body)))(w, r)
	}
}

func replaced(from, to string) answer {
	return edited(func(body string) string { return strings.ReplaceAll(body, from, to) })
}

// padded is a good answer of a size.
func padded(size int) answer {
	return edited(func(body string) string { return body + strings.Repeat(" ", size-len(body)) })
}

// forever is an answer that does not end.
func forever(begin, more string, pause time.Duration) answer {
	return func(w io.Writer, _ *http.Request) bool {
		for piece := begin; ; piece = more {
			if _, err := io.WriteString(w, piece); err != nil {
				return false
			}
			time.Sleep(pause)
		}
	}
}

// hangs is an answer that does not go on.
func hangs(begin string) answer {
	return func(w io.Writer, _ *http.Request) bool {
		_, _ = io.WriteString(w, begin)
		time.Sleep(time.Hour)
		return false
	}
}

func refusal(status int, code string) answer {
	return text(status, fmt.Sprintf(`{"Code":%q,"Message":"%s %s %s %s"}`, code, secretMark, oidcMark, keyMark, pathMark))
}

func redirect(status int, scheme string) answer {
	return text(status, "", "Location: "+scheme+"://evil.example/"+secretMark)
}

// bomb is 305 kB of gzip that unpack to as many megabytes.
var bomb = sync.OnceValue(func() string {
	member := zipped(string(make([]byte, 1<<20)))
	return strings.Repeat(member, 305_000/len(member))
})

func zipped(s string) string {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := io.WriteString(zip, s); err != nil {
		panic(err)
	}
	if err := zip.Close(); err != nil {
		panic(err)
	}
	return packed.String()
}

func redirected(status int) string {
	return fmt.Sprintf("the answer is a redirect, which is not followed (HTTP %d)", status)
}

// hangsOnce hangs at its first answer, of every test.
func hangsOnce() answer {
	return func(w io.Writer, r *http.Request) bool {
		if first(r) {
			time.Sleep(time.Hour)
		}
		return keys(nil)(w, r)
	}
}

func failsOnce() answer {
	return func(w io.Writer, r *http.Request) bool {
		if first(r) {
			return text(503, "")(w, r)
		}
		return keys(nil)(w, r)
	}
}

// first reports whether a request is the first for keys.
func first(r *http.Request) bool { return r.Context().Value(orderKey{}) == 1 }

type orderKey struct{}

// places is how the errors of each source begin.
var places = map[string]string{
	"RAM role":         "assume RAM role at example.com: ",
	"RAM role by OIDC": "assume RAM role with OIDC at example.com: ",
	"ECS role":         "read ECS role at 100.100.100.200: ",
	"ECS role, v1":     "read ECS role at 100.100.100.200: ",
	"URI":              "read credentials URI at localhost: ",
}
