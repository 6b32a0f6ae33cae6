package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// progressTimeout is how long a write may bring not one byte into the kernel before the link counts
// as dead.
const progressTimeout = 20 * time.Second

// open makes the network connection, which ends with ctx as long as nothing is said on it.
func (m *Client) open(ctx context.Context, u *url.URL, config *tls.Config) (net.Conn, error) {
	if u.Scheme == "ws" || u.Scheme == "wss" {
		return paho.NewWebsocket(u.String(), config, connectTimeout, nil, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		limitUnsent(tcp, m.options.SendBuffer)
	}
	conn = &steadyConn{Conn: conn, patience: progressTimeout}
	if config == nil {
		return conn, nil
	}
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// answers says whether a broker is there that takes connections at this moment.
func answers(ctx context.Context, u *url.URL) bool {
	if u.Scheme == "ws" || u.Scheme == "wss" {
		return true // a proxy is what would answer
	}
	dialer := &net.Dialer{Timeout: answersWithin}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// answersWithin is for a connection to a broker that was there a moment ago.
const answersWithin = 2 * time.Second

// steadyConn lets a write take as long as it makes progress. One deadline for the whole would kill a
// 128 KiB message on a link of 1 kB/s each time it is tried, and so it would never arrive.
type steadyConn struct {
	net.Conn
	patience time.Duration
	mu       sync.Mutex // a ping must not get between the pieces of a message
}

func (c *steadyConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	written := 0
	for {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(b[written:])
		written += n
		slow := n > 0 && errors.Is(err, os.ErrDeadlineExceeded)
		if !slow || written == len(b) {
			return written, err
		}
	}
}

// Close lets the broker read what was written before: a socket that is closed with unread bytes in it is
// reset, and the acknowledgements on their way to a busy broker are thrown away with it.
func (c *steadyConn) Close() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil && tcp.SetReadDeadline(time.Now().Add(partingWithin)) == nil {
		io.Copy(io.Discard, tcp)
	}
	return c.Conn.Close()
}

// partingWithin is how long a broker may take to read the last of a connection and close its side.
const partingWithin = 2 * time.Second

// SetDeadline leaves the write deadline to Write.
func (c *steadyConn) SetDeadline(t time.Time) error { return c.Conn.SetReadDeadline(t) }

// SetWriteDeadline leaves the write deadline to Write.
func (c *steadyConn) SetWriteDeadline(time.Time) error { return nil }
