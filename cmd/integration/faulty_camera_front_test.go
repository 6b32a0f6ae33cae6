package integration

import (
	"crypto/rand"
	"io"
	"net"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
)

// admit takes clients and hands what they say to the server, and back.
func (c *faultyCamera) admit() {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := c.front.Accept()
		if err != nil {
			return
		}
		f := c.now()
		if f.off {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			continue
		}
		c.mu.Lock()
		c.conns[conn] = true
		c.mu.Unlock()
		all.Go(func() {
			defer func() {
				conn.Close()
				c.mu.Lock()
				delete(c.conns, conn)
				c.mu.Unlock()
			}()
			if f.noise {
				io.CopyN(conn, rand.Reader, 100_000)
				return
			}
			time.Sleep(f.late) // the camera itself
			far, err := net.Dial("tcp", c.inner)
			if err != nil {
				return
			}
			defer far.Close()
			go func() {
				io.Copy(far, conn)
				far.Close()
			}()
			io.Copy(conn, far)
		})
	}
}

// OnRequest notes each login that is refused.
func (c *faultyCamera) OnRequest(conn *gortsplib.ServerConn, r *base.Request) {
	if len(r.Header["Authorization"]) > 0 && r.Method == base.Describe && c.now().password {
		c.mu.Lock()
		c.refused = append(c.refused, time.Now())
		c.mu.Unlock()
	}
}

func (c *faultyCamera) answer(conn *gortsplib.ServerConn, r *base.Request) (*base.Response, *gortsplib.ServerStream, error) {
	f := c.now()
	password := cameraPassword
	if f.password {
		password = "another"
	}
	switch {
	case !conn.VerifyCredentials(r, cameraUser, password):
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	case f.missing:
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

// OnDescribe says what there is to see.
func (c *faultyCamera) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.answer(ctx.Conn, ctx.Request)
}

// OnSetup prepares to show it.
func (c *faultyCamera) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.answer(ctx.Conn, ctx.Request)
}

// OnPlay shows it.
func (c *faultyCamera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	c.mu.Lock()
	c.playing++
	c.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnSessionClose hears that a client is gone.
func (c *faultyCamera) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.playing = max(c.playing-1, 0)
}

func (c *faultyCamera) logins() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Time(nil), c.refused...)
}
