package zk

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnswersWaitUntilTheWatchesAreAskedForAgain speaks for the library and for the server.
func TestAnswersWaitUntilTheWatchesAreAskedForAgain(t *testing.T) {
	const opGet = 4
	for name, c := range map[string]struct {
		reconnected bool
		requests    []uint32
		kept        time.Duration
	}{
		"the first connection":           {false, []uint32{opGet}, 0},
		"before any request":             {true, []uint32{opAuth, opPing}, 0},
		"a request, then the watches":    {true, []uint32{opGet, opSetWatches}, 0},
		"the watches, then a request":    {true, []uint32{opSetWatches, opGet}, 0},
		"a request where no watches are": {true, []uint32{opAuth, opGet}, renewalWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				conn := &conn{Conn: near, dialer: &dialer{}, watches: newRenewal(c.reconnected)}
				defer conn.Close()
				go io.Copy(io.Discard, far)
				for n, op := range c.requests {
					packet := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, uint32(n+1)), op)
					if _, err := conn.Write(packet); err != nil {
						t.Fatal(err)
					}
				}
				go far.Write(make([]byte, 16))
				began := time.Now()
				if _, err := io.ReadFull(conn, make([]byte, 16)); err != nil {
					t.Fatal(err)
				}
				if kept := time.Since(began); kept != c.kept {
					t.Errorf("the answer was kept for %s, want %s", kept, c.kept)
				}
			})
		})
	}
}

// TestAnAnswerThatCameFirstIsKept has the answer there before the watches are asked for.
func TestAnAnswerThatCameFirstIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewal(true)
		r.sent([]byte{0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4})
		read := make(chan time.Time, 1)
		go func() { r.wait(); read <- time.Now() }()
		time.Sleep(renewalWait / 2)
		asked := time.Now()
		r.sent([]byte{0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, opSetWatches})
		if at := <-read; !at.Equal(asked) {
			t.Errorf("it was read %s from when the watches were asked for", at.Sub(asked))
		}
	})
}
