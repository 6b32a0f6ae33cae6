// Package coordtest is what every coordinator must do, as tests that each implementation runs.
package coordtest

import (
	"context"
	"testing"
	"time"

	"cloudcanvas/cloud/coord"
)

// Party is one process's coordinator in a test.
type Party struct {
	coord.Coordinator
	Cut  func() // its connection is gone, and its session ends in time
	Heal func() // the connection may come back
}

// Group is an empty space that several parties share.
type Group interface {
	Open(t *testing.T, id string) Party
}

// patience bounds each wait: far above what any implementation needs, so that only a fault hits it.
const patience = 2 * time.Minute

// Run runs the suite, its tests beside each other: most of their time is waiting for sessions to
// end. open makes a new, empty group.
func Run(t *testing.T, open func(t *testing.T) Group) {
	t.Run("Suite", func(t *testing.T) { runAll(t, open) })
}

func runAll(t *testing.T, open func(t *testing.T) Group) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, g Group)
	}{
		{"MembersComeAndGo", membersComeAndGo},
		{"MemberIsDescribedAnew", memberIsDescribedAnew},
		{"MembershipIsRemadeAfterALostSession", membershipIsRemade},
		{"OneLeadsAndHandsOver", oneLeads},
		{"LeaderIsToldBeforeAnotherLeads", leaderIsTold},
		{"OneOwnsAtATimeWithGrowingEpochs", oneOwns},
		{"OwnerFindsTheNoteOfTheOneBefore", ownerFindsNote},
		{"WaitingForOwnershipEndsWithItsContext", waitingEnds},
		{"OwnerIsToldBeforeAnotherOwns", ownerIsTold},
		{"LostOwnerCannotNote", lostOwnerCannotNote},
		{"DocumentChangesOnlyFromTheVersionRead", documentVersions},
		{"DocumentIsWatched", documentIsWatched},
		{"DocumentsAreListed", documentsAreListed},
		{"WatchSurvivesALostSession", watchSurvives},
		{"NamesAreChecked", namesAreChecked},
		{"CloseEndsWhatIsHeld", closeEnds},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// receive waits for the next value.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("waiting for %s: the channel closed", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("waiting for %s: nothing came", what)
	}
	panic("unreachable")
}

// until receives values until one is as wanted.
func until[T any](t *testing.T, c <-chan T, what string, wanted func(T) bool) T {
	t.Helper()
	for {
		if v := receive(t, c, what); wanted(v) {
			return v
		}
	}
}

// done waits for c to close.
func done(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waiting for %s: it did not come", what)
	}
}

// holding is an Own or Lead that runs in the background.
type holding struct {
	had     chan coord.Lease // the lease, once it is held
	lost    chan struct{}    // its ctx has ended
	leave   chan struct{}    // close it to let the lease go
	ended   chan error       // what Own returned
	context context.Context  // of the holder, once had
}

func own(ctx context.Context, p Party, what string) *holding {
	h := &holding{make(chan coord.Lease, 1), make(chan struct{}), make(chan struct{}), make(chan error, 1), nil}
	go func() {
		h.ended <- p.Own(ctx, what, func(ctx context.Context, l coord.Lease) error {
			h.context = ctx
			h.had <- l
			select {
			case <-ctx.Done():
				close(h.lost)
			case <-h.leave:
			}
			return nil
		})
	}()
	return h
}

// background is a ctx that ends with the test, and with it the goroutines.
func background(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}
