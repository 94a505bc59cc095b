package credentials

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// A Proxy returns the proxy for a request, nil for none.
type Proxy func(*http.Request) (*url.URL, error)

// proxy is what [SetProxy] set; nil means that the environment decides.
var proxy atomic.Pointer[Proxy]

// SetProxy decides about the proxy of all requests for credentials from now on; a nil function means no proxy.
// Requests to the metadata service of an ECS instance never take one: it would answer for the proxy's instance.
//
// It is a setting of the process because credentials-go sends every request through a clone of [http.DefaultTransport]
// and has no other way to switch a proxy off.
func SetProxy(p Proxy) {
	if p == nil {
		p = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	proxy.Store(&p)
}

// useProxy makes [http.DefaultTransport] ask for the proxy here.
var useProxy = sync.OnceFunc(func() {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return // nothing of ours replaces it
	}
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == metadataHost {
			return nil, nil
		}
		if p := proxy.Load(); p != nil {
			return (*p)(r)
		}
		return http.ProxyFromEnvironment(r)
	}
})
