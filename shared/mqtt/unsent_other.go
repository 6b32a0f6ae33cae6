//go:build !linux

package mqtt

import "net"

// limitUnsent is known on Linux only.
func limitUnsent(*net.TCPConn, int) {}
