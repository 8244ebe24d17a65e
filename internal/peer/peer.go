// Package peer finds out which address a request comes from, also behind proxies.
//
// Guarantees: nobody but a trusted proxy can say that a request comes from elsewhere.
//
// chi's middleware does the same but for ports, and its package brings the profiler along:
// see docs/decisions/16-small-binary.md. A test compares the two.
package peer

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type key struct{}

// Find returns the middleware that finds the address. A proxy that is trusted adds the
// address that it was asked from to X-Forwarded-For. The client is the last one there that
// is not trusted itself.
func Find(trusted []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := find(r, trusted); a.IsValid() {
				r = r.WithContext(context.WithValue(r.Context(), key{}, a))
			}
			next.ServeHTTP(w, r)
		})
	}
}

// find returns the invalid address if what a trusted proxy says cannot be read, or names
// only trusted ones.
func find(r *http.Request, trusted []netip.Prefix) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	a = a.Unmap()
	if !within(trusted, a.WithZone("")) { // a prefix has no zone
		return a
	}
	for _, header := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for _, text := range slices.Backward(strings.Split(header, ",")) {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			a, err := netip.ParseAddr(text)
			if err != nil { // some proxies add the port
				with, err := netip.ParseAddrPort(text)
				if err != nil {
					return netip.Addr{}
				}
				a = with.Addr()
			}
			if a = a.Unmap().WithZone(""); !within(trusted, a) {
				return a
			}
		}
	}
	return netip.Addr{}
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Address returns the address of the client that ctx belongs to, or the invalid one.
func Address(ctx context.Context) netip.Addr {
	a, _ := ctx.Value(key{}).(netip.Addr)
	return a
}

// Text returns the address for the log, or "".
func Text(ctx context.Context) string {
	if a := Address(ctx); a.IsValid() {
		return a.String()
	}
	return ""
}
