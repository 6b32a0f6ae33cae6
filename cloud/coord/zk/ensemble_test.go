package zk_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/brokertest"
)

func TestEnsembleThatLosesServersNeverHasTwoOwners(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers take half a minute")
	}
	z := brokertest.StartZooKeeper(t, 3)
	ctx, cancel := context.WithCancel(context.Background())
	var (
		all   sync.WaitGroup
		owner atomic.Int64 // the epoch that is at work; 0: none
		last  atomic.Int64
		noted = make(chan struct{})
	)
	for n := range 2 {
		c, err := zk.Open(zk.Config{Servers: z.Servers, SessionTimeout: 4 * time.Second}, fmt.Sprintf("party-%d", n), logger(t))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer c.Close()
			for ctx.Err() == nil {
				c.Own(ctx, "work-1", func(ctx context.Context, l coord.Lease) error {
					epoch := int64(l.Epoch())
					if other := owner.Swap(epoch); other != 0 {
						t.Errorf("%d and %d own at once", other, epoch)
					}
					if before := last.Swap(epoch); before >= epoch {
						t.Errorf("epoch %d after %d", epoch, before)
					}
					for i := 0; ctx.Err() == nil && l.Note(ctx, fmt.Sprint(i)) == nil; i++ {
						select {
						case noted <- struct{}{}:
						case <-ctx.Done():
						}
					}
					owner.Store(0)
					return nil
				})
			}
		})
	}
	works := func(what string) {
		t.Helper()
		for range 3 {
			select {
			case <-noted:
			case <-time.After(2 * time.Minute):
				t.Fatalf("%s: nobody can work", what)
			}
		}
	}
	works("at first")
	for n := range 3 {
		z.Kill(n)
		works(fmt.Sprintf("with server %d killed", n))
		z.Restart(n)
		works(fmt.Sprintf("with server %d back", n))
	}
	// A frozen leader wakes up in a world that has another.
	leader := z.Leader()
	z.Freeze(leader)
	works("with the leading server frozen")
	z.Thaw(leader)
	works("with it thawed")
	// Without a majority nobody may own anything; the one that is left serves nobody.
	z.Kill(0)
	z.Kill(1)
	z.Restart(0)
	works("after the majority was gone")
	cancel()
	all.Wait()
}
