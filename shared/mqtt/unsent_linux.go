package mqtt

import (
	"net"

	"golang.org/x/sys/unix"
)

// limitUnsent keeps the kernel from hoarding what was not sent yet: on a thin link an alert would
// wait minutes behind images that the program thinks are gone. Best effort.
func limitUnsent(conn *net.TCPConn, bytes int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
	})
}
