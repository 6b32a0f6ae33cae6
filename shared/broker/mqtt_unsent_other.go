//go:build !linux

package broker

import "net"

// limitUnsent is known on Linux only.
func limitUnsent(*net.TCPConn, int) {}
