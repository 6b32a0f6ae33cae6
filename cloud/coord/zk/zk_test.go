package zk_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/coord/coordtest"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/brokertest"
)

// session is long enough for a busy machine to prove it in time.
const session = 2 * time.Second

func TestZooKeeperConforms(t *testing.T) {
	server := brokertest.StartZooKeeper(t, 1).Servers[0]
	ignore := goleak.IgnoreCurrent()
	var groups atomic.Int64
	t.Run("Connection", func(t *testing.T) {
		for name, cut := range map[string]func(*link){"Closed": (*link).Cut, "Silent": (*link).Silence} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				coordtest.Run(t, func(t *testing.T) coordtest.Group {
					return group{server, fmt.Sprintf("/canvas-%d", groups.Add(1)), cut}
				})
			})
		}
	})
	goleak.VerifyNone(t, ignore)
}

type group struct {
	server, root string
	cut          func(*link)
}

func (g group) Open(t *testing.T, id string) coordtest.Party {
	t.Helper()
	l := newLink(t, g.server)
	c, err := zk.Open(zk.Config{Servers: []string{l.Address()}, Root: g.root, SessionTimeout: session}, id, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return coordtest.Party{Coordinator: c, Cut: func() { g.cut(l) }, Heal: l.Heal}
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestEveryMistakeInTheConfigurationIsTold(t *testing.T) {
	var fields []string
	zk.Config{Servers: []string{"nohost", "a:1"}, Root: "canvas", SessionTimeout: time.Millisecond}.Problems(func(field, message, hint string) {
		fields = append(fields, field)
		if message == "" || hint == "" {
			t.Errorf("%s: %q, %q", field, message, hint)
		}
	})
	if got := strings.Join(fields, " "); got != "servers.0 root session_timeout" {
		t.Errorf("told %s", got)
	}
	if _, err := zk.Open(zk.Config{Root: "x"}, "", nil); err == nil || !strings.Contains(err.Error(), "root") || !strings.Contains(err.Error(), "id") {
		t.Errorf("opened with mistakes: %v", err)
	}
}
