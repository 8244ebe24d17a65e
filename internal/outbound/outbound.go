// Package outbound calls addresses that a person typed, such as that of an alert webhook.
//
// Guarantees: no call reaches this machine, a private network or a cloud's metadata
// service, whatever a name resolves to, and however often that changes: the check is made
// on the address that is dialed. No redirect is followed, and an answer is bounded in time
// and size.
//
// It does not know what is sent.
package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// timeout is for a whole call, as Standard Webhooks recommends (15 to 30 s).
const timeout = 15 * time.Second

// ErrForbidden means that an address is not one that a person may have Milepost call.
var ErrForbidden = errors.New("the address is not on the internet")

// NewClient returns a client. With private it also reaches this machine and private
// networks, and goes through the proxy of the environment (HTTPS_PROXY), but never reaches
// link-local addresses, where clouds serve credentials. Without it there is no proxy: a
// proxy would resolve the name out of sight.
func NewClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(network, address string, _ syscall.RawConn) error {
		return check(network, address, private)
	}}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	if private {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// WithoutURL takes the address, which may hold a secret, out of an error of a client.
func WithoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

// check is asked with the address that a name resolved to, just before it is dialed.
func check(network, address string, private bool) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s", ErrForbidden, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if ip := to.Addr().Unmap(); !Public(ip) && (!private || !isPrivate(ip)) {
		return fmt.Errorf("%w: %s", ErrForbidden, ip)
	}
	return nil
}

// isPrivate reports whether an address is this machine's or one of a private network.
func isPrivate(ip netip.Addr) bool {
	return (ip.IsLoopback() || ip.IsPrivate() || carrier.Contains(ip)) && !slices.Contains(metadata, ip)
}

var (
	internet6 = netip.MustParsePrefix("2000::/3")      // all of IPv6 that is given out
	carrier   = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598; overlay networks use it too

	// metadata are services of clouds whose addresses are not link-local.
	metadata = []netip.Addr{
		netip.MustParseAddr("168.63.129.16"),   // Azure
		netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
		netip.MustParseAddr("fd00:ec2::254"),   // AWS
		netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	}

	// special are the networks of the IANA's registries of special-purpose addresses that
	// the methods of netip.Addr do not know. Some carry an IPv4 address, of any kind.
	special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public reports whether an address is one of the internet.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	switch {
	case !ip.IsGlobalUnicast(), ip.IsPrivate(), ip.Zone() != "", slices.Contains(metadata, ip):
		return false
	case ip.Is6() && !internet6.Contains(ip):
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}
