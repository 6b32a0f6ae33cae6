package zk

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
)

func TestTermEndsWhenNoProofComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		term := newTerm(1, began.Add(2*time.Second))
		holder, release := hold(t.Context(), term)
		defer release()
		time.Sleep(time.Second)
		term.extend(began.Add(3 * time.Second))
		time.Sleep(1900 * time.Millisecond)
		if term.Err() != nil || holder.Err() != nil {
			t.Fatal("it ended although it was proved")
		}
		<-holder.Done()
		if since := time.Since(began); since != 3*time.Second {
			t.Errorf("it ended after %v", since)
		}
		if !errors.Is(context.Cause(holder), coord.ErrLost) {
			t.Errorf("it ended for %v", context.Cause(holder))
		}
		term.extend(began.Add(time.Hour))
		if term.Err() == nil {
			t.Error("a term that was over came back to life")
		}
	})
}

// The wall clock of a machine can jump by years; what a session is proved by is the monotonic one,
// which time.Time keeps as long as nothing strips it.
func TestATermDoesNotDependOnTheWallClock(t *testing.T) {
	c := &Coordinator{log: slog.New(slog.DiscardHandler), conn: &zk.Conn{}, dial: &dialer{timeout: time.Minute}, changed: make(chan struct{})}
	c.proved(1, time.Now())
	c.proved(1, time.Now())
	defer c.now.over(coord.ErrLost)
	if !strings.Contains(c.now.until.String(), " m=") {
		t.Errorf("the term ends at %v, which has no monotonic part", c.now.until)
	}
}

func TestHolderLearnsFromTheClockBeforeTheTimersRun(t *testing.T) {
	term := newTerm(1, time.Now().Add(time.Hour))
	holder, release := hold(t.Context(), term)
	defer release()
	// As after SIGSTOP: the time is over, and no timer has run yet.
	term.mu.Lock()
	term.until = time.Now().Add(-time.Second)
	term.mu.Unlock()
	if !errors.Is(context.Cause(holder), coord.ErrLost) && holder.Err() == nil {
		t.Error("the holder would go on")
	}
	if !errors.Is(context.Cause(holder), coord.ErrLost) {
		t.Errorf("the cause is %v", context.Cause(holder))
	}
}
