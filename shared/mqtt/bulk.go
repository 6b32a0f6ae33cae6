package mqtt

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// bulkConn is for clients that take much and answer each message: paho reads a packet in four small
// reads and writes each PUBACK by itself, which costs more than all that is done with the message.
// Reads go through a buffer. Writes are gathered while the one before is under way, so that a quiet
// connection answers at once and a busy one with many PUBACKs in one write.
//
// Where the broker has gone, writes still succeed until all is read that it had sent: paho closes the
// connection at the first write that fails, and what rests in it unread would be thrown away with it. A
// broker that was killed may have had it nowhere else.
type bulkConn struct {
	net.Conn
	reader *bufio.Reader

	mu      sync.Mutex
	waiting []byte
	writing bool
	err     error // of the last write: nothing is taken after it
	gone    bool  // the broker took no more: what is written is dropped, and Read gives the error at its end
	drained sync.Cond
}

const (
	readAhead    = 32 << 10
	mostGathered = 64 << 10 // then a writer waits
)

func newBulkConn(conn net.Conn) *bulkConn {
	c := &bulkConn{Conn: conn, reader: bufio.NewReaderSize(conn, readAhead)}
	c.drained.L = &c.mu
	return c
}

func (c *bulkConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// Write returns when b is on its way or gathered. An error is that of an earlier write.
func (c *bulkConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) >= mostGathered && c.err == nil && !c.gone {
		c.drained.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.gone {
		return len(b), nil
	}
	c.waiting = append(c.waiting, b...)
	if !c.writing {
		c.writing = true
		go c.drain()
	}
	return len(b), nil
}

// drain writes what is gathered until there is no more.
func (c *bulkConn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 && c.err == nil && !c.gone {
		batch := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		_, err := c.Conn.Write(batch)
		c.mu.Lock()
		// A connection that was reset gives what it holds and then an error, without waiting for more.
		if c.gone = errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET); c.gone {
			c.waiting = nil
		} else {
			c.err = err
		}
		c.drained.Broadcast()
	}
	c.writing = false
	c.drained.Broadcast()
}

// Close lets what is gathered leave first, as a DISCONNECT must; a dead link gets little time for it.
func (c *bulkConn) Close() error {
	cut := time.AfterFunc(quiesce*time.Millisecond, func() { c.Conn.Close() })
	defer cut.Stop()
	c.mu.Lock()
	for c.writing {
		c.drained.Wait()
	}
	c.err = net.ErrClosed
	c.mu.Unlock()
	return c.Conn.Close()
}
