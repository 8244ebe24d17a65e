//go:build !unix

package guard

import "net"

// readable reports whether the client has sent something that the server has not read. It
// is not known here.
func readable(net.Conn) bool { return false }
