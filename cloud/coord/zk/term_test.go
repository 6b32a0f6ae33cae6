package zk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

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
