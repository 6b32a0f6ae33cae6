// Package zk is the coordinator over ZooKeeper. Everything lies under one root, /canvas:
//
//	workers/<id>, bridges/<id>, mosaics/<id>   ephemeral: the members
//	leader/<what>/<token>-<number>             ephemeral sequential: the lowest leads
//	owners/<what>                              ephemeral: who owns it; its czxid is the epoch
//	notes/<what>                               the last owner's note, kept for the next
//	assignments, models/<name>, …              documents
//
// Its traffic depends on members and owners that come and go, not on messages: in between there is
// one small read each sixth of the session timeout, which proves that the session lives.
package zk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/config"
)

// Coordinator is one process's session with ZooKeeper, made anew when it is lost. It is safe for
// concurrent use.
type Coordinator struct {
	id   string
	cfg  Config
	log  *slog.Logger
	conn *zk.Conn
	dial *dialer
	last lines
	auth []byte // user:password, or nil
	acl  []zk.ACL

	wake    chan struct{} // a session is there: prove it at once
	ready   chan struct{} // closed once the server knows the user; before, nothing may be asked
	closed  chan struct{}
	once    sync.Once
	work    sync.WaitGroup // goroutines that end with the connection
	holders sync.WaitGroup // owners and leaders that are at work

	descriptions sync.Map // path of a member this process keeps → its latest data

	mu      sync.Mutex
	now     *term         // the session's; nil before the first
	changed chan struct{} // closed and made anew with each new term
}

var _ coord.Coordinator = (*Coordinator)(nil)

// Open begins to connect and returns at once; all methods wait until ZooKeeper is there. id names
// this process to the others. Only unusable settings are an error.
func Open(cfg Config, id string, log *slog.Logger) (*Coordinator, error) {
	cfg = cfg.withDefaults()
	err := config.Check("zookeeper", cfg)
	if wrong := coord.CheckName(id); wrong != nil {
		err = errors.Join(err, fmt.Errorf("the id of this process: %w", wrong))
	}
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{
		id: id, cfg: cfg, log: log, acl: zk.WorldACL(zk.PermAll),
		dial:    &dialer{tls: cfg.Security.TLS, timeout: cfg.SessionTimeout, handshake: max(cfg.SessionTimeout/3, 500*time.Millisecond)},
		wake:    make(chan struct{}, 1),
		ready:   make(chan struct{}),
		closed:  make(chan struct{}),
		changed: make(chan struct{}),
	}
	c.last.log = log
	if cfg.Security.User != "" {
		password, err := cfg.Security.Password()
		if err != nil {
			return nil, fmt.Errorf("opening ZooKeeper: %w", err)
		}
		c.auth = []byte(cfg.Security.User + ":" + password)
		c.acl = zk.AuthACL(zk.PermAll)
	}
	conn, _, err := zk.Connect(cfg.Servers, cfg.SessionTimeout, zk.WithDialer(c.dial.dial), zk.WithHostProvider(&servers{}),
		zk.WithLogger(&c.last), zk.WithLogInfo(false), zk.WithMaxBufferSize(8<<20),
		// The events' channel drops what is not read at once; the callback misses nothing.
		zk.WithEventCallback(c.event))
	if err != nil {
		return nil, fmt.Errorf("opening ZooKeeper: %w", err)
	}
	c.conn = conn
	c.work.Go(c.prove)
	return c, nil
}

// lines passes the library's lines on as details, and keeps the last: it says why there is no
// connection. State changes are logged by this package.
type lines struct {
	log  *slog.Logger
	last atomic.Pointer[string]
}

func (l *lines) Printf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	l.last.Store(&line)
	l.log.Debug(line)
}

func (l *lines) String() string {
	if line := l.last.Load(); line != nil {
		return *line
	}
	return "no answer"
}

// event is called with changes of the connection. It must not block.
func (c *Coordinator) event(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	switch e.State {
	case zk.StateHasSession:
		select {
		case c.wake <- struct{}{}:
		default:
		}
	case zk.StateExpired:
		c.mu.Lock()
		if c.now != nil {
			c.now.over(coord.ErrLost)
		}
		c.mu.Unlock()
		c.log.Warn("the ZooKeeper session has expired; this process begins a new one")
	}
}

// prove asks the server for something small again and again: each answer proves the session.
func (c *Coordinator) prove() {
	authorised := c.auth == nil
	if authorised {
		close(c.ready)
	}
	proof, told := time.Now(), false // of the last answer; whether its absence was logged
	made := c.dial.made.Load()       // connections until then
	for {
		began, session := time.Now(), c.conn.SessionID()
		var err error
		if !authorised {
			if err = c.conn.AddAuth("digest", c.auth); err == nil {
				authorised = true // the library says it again after each reconnection
				close(c.ready)
			}
		}
		if err == nil {
			_, _, err = c.conn.Exists(c.cfg.Root)
		}
		if err == nil && session != 0 && c.conn.SessionID() == session {
			c.proved(session, began)
			proof, told, made = began, false, c.dial.made.Load()
		}
		if !told && time.Since(proof) > c.dial.session() {
			told = true
			if session != 0 && c.dial.made.Load() != made { // a server is there, and does not answer
				c.dial.hush()
			}
			c.log.Warn("this process has no connection to ZooKeeper and tries again; it can own nothing meanwhile", "servers", c.cfg.Servers, "last", c.last.String())
		}
		select {
		case <-c.closed:
			return
		case <-c.wake:
		case <-time.After(c.dial.session() / 6):
		}
	}
}

// proved extends the term of a session that was alive at began, or begins one.
func (c *Coordinator) proved(session int64, began time.Time) {
	until := began.Add(c.dial.session() * 2 / 3)
	c.mu.Lock()
	now := c.now
	c.mu.Unlock()
	if now != nil && now.session == session && now.Err() == nil {
		now.extend(until)
		return
	}
	if now != nil {
		now.over(coord.ErrLost)
		// Many that lost their sessions together do not come back in the same instant.
		select {
		case <-time.After(rand.N(min(c.dial.session()/10, time.Second))):
		case <-c.closed:
			return
		}
	}
	if granted := time.Duration(c.dial.granted.Load()); granted > 0 && granted < c.cfg.SessionTimeout {
		c.log.Warn("ZooKeeper granted a shorter session than asked for", "asked", c.cfg.SessionTimeout, "granted", granted)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = newTerm(session, until)
	close(c.changed)
	c.changed = make(chan struct{})
	c.log.Info("this process has a session with ZooKeeper", "session", fmt.Sprintf("%x", session), "server", c.conn.Server())
}

// live waits for a session that is alive.
func (c *Coordinator) live(ctx context.Context) (*term, error) {
	for {
		if c.isClosed() {
			return nil, coord.ErrClosed
		}
		c.mu.Lock()
		now, changed := c.now, c.changed
		c.mu.Unlock()
		if now != nil && now.Err() == nil {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for ZooKeeper at %v: %w", c.cfg.Servers, ctx.Err())
		case <-c.closed:
		case <-changed:
		}
	}
}

func (c *Coordinator) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// Close ends what is held, waits a moment for owners and leaders to stop, and ends the session.
func (c *Coordinator) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.mu.Lock()
		if c.now != nil {
			c.now.over(coord.ErrLost)
		}
		c.mu.Unlock()
		stopped := make(chan struct{})
		go func() {
			c.holders.Wait()
			close(stopped)
		}()
		select {
		case <-stopped:
		case <-time.After(c.dial.session() / 3): // what is left of a term after its end
		}
		c.conn.Close()
		c.work.Wait()
	})
	return nil
}
