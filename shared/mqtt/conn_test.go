package mqtt

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWriteLastsAsLongAsItMakesProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		conn := &steadyConn{Conn: near, patience: 40 * time.Millisecond}
		read := make(chan int, 1)
		go func() {
			total := 0
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for range tick.C { // a link of 1 kB/s
				n, err := io.ReadFull(far, make([]byte, 10))
				if total += n; err != nil || total == 200 {
					break
				}
			}
			read <- total
		}()
		if n, err := conn.Write(make([]byte, 200)); n != 200 || err != nil {
			t.Errorf("wrote %d of 200: %v", n, err)
		}
		if n := <-read; n != 200 {
			t.Errorf("%d bytes came", n)
		}
		if _, err := conn.Write([]byte("into the void")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a dead link is not noticed: %v", err)
		}
	})
}

func TestFiltersTakeInTheirTopics(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b", "a", false}, {"a", "a/b", false},
		{"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/", true}, {"a/+", "a/b/c", false}, {"+/b", "a/b", true},
		{"a/#", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "b", false}, {"#", "a/b", true}, {"+/#", "a", true},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true},
		{"$share/bridge/a/+", "a/b", true}, {"$share/bridge/a/+", "b/a", false},
		{"canvas/v1/+/up/+/+", "canvas/v1/mast-7/up/0/alert", true}, {"canvas/v1/+/up/+/+", "canvas/v1/mast-7/status", false},
	} {
		if got := Matches(c.filter, c.topic); got != c.want {
			t.Errorf("%s takes in %s: %v", c.filter, c.topic, got)
		}
	}
}

func TestUnusableOptionsAreReportedAtOnce(t *testing.T) {
	for name, o := range map[string]Options{
		"no URL":                 {},
		"no host":                {URL: "mqtt://"},
		"odd scheme":             {URL: "http://localhost"},
		"user in URL":            {URL: "mqtt://u:p@localhost"},
		"session without a name": {URL: "mqtt://localhost", Persistent: true},
	} {
		if m, err := Dial(t.Context(), o); err == nil {
			m.Close()
			t.Error(name, "was taken")
		}
	}
}
