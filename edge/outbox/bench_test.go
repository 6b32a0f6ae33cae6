package outbox

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// BenchmarkCommit commits groups of items of three sizes, with sha256, index and ledger in place, and
// holds them against appending the same bytes to a file with a sync for each group, by turns.
func BenchmarkCommit(b *testing.B) {
	for _, g := range []struct{ size, group int }{{1 << 10, 100}, {50 << 10, 16}, {500 << 10, 8}} {
		b.Run(fmt.Sprintf("%dKiBx%d", g.size>>10, g.group), func(b *testing.B) {
			data := make([]byte, g.size)
			rand.Read(data)
			c := DefaultConfig()
			c.QuotaBytes, c.QuotaRows = 1<<40, 1<<40
			o := open(b, b.TempDir(), c)
			plain, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer plain.Close()
			var ours, limit time.Duration
			var each []time.Duration
			for b.Loop() {
				took := commitGroup(b, o, data, g.group)
				ours, each = ours+took, append(each, took)
				limit += appendGroup(b, plain, data, g.group)
				if o.Stats().Bytes > 512<<20 { // the disk of a machine is not endless
					if _, err := o.Receive(b.Context(), event.Receipt{Epoch: o.Epoch(), Through: o.Stats().Committed}); err != nil {
						b.Fatal(err)
					}
					plain.Truncate(0)
					plain.Seek(0, 0)
				}
			}
			slices.Sort(each)
			b.ReportMetric(float64(len(each)*g.group)/ours.Seconds(), "commits/s")
			b.ReportMetric(float64(len(each)*g.group*g.size)/1e6/ours.Seconds(), "MB/s")
			b.ReportMetric(limit.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(each[len(each)*99/100].Seconds()*1000, "p99-ms")
		})
	}
}

func commitGroup(b *testing.B, o *Outbox, data []byte, n int) time.Duration {
	start := time.Now()
	answers := make([]<-chan Answer, n)
	for i := range answers {
		answers[i] = o.Submit(b.Context(), Draft{Kind: event.Frame, Stream: "camera", Subject: "camera", Type: "image/jpeg", Data: data})
	}
	for _, answer := range answers {
		if a := <-answer; a.Err != nil {
			b.Fatal(a.Err)
		}
	}
	return time.Since(start)
}

func appendGroup(b *testing.B, f *os.File, data []byte, n int) time.Duration {
	start := time.Now()
	for range n {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
