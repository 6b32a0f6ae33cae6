package outbox

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

// BenchmarkCommit commits items of three sizes with the default group commit, and holds it against
// appending the same bytes to a file with an fsync for each group of the same size.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1 << 10, 50 << 10, 500 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			data := make([]byte, size)
			rand.Read(data)
			c := DefaultConfig()
			c.QuotaBytes = 1 << 40
			o := open(b, b.TempDir(), c)
			b.SetBytes(int64(size))
			b.ResetTimer()
			inFlight := make([]<-chan Answer, 0, maxBatch)
			for i := range b.N {
				inFlight = append(inFlight, o.Submit(b.Context(), Draft{Kind: event.Frame, Stream: "camera", Subject: "camera", Type: "image/jpeg", Data: data}))
				if len(inFlight) == cap(inFlight) || i == b.N-1 {
					for _, answer := range inFlight {
						if a := <-answer; a.Err != nil {
							b.Fatal(a.Err)
						}
					}
					inFlight = inFlight[:0]
				}
			}
			took := b.Elapsed()
			b.StopTimer()
			group := min(maxBatch, maxBatchBytes/size)
			limit := appendSync(b, data, b.N, group)
			b.ReportMetric(float64(b.N)/took.Seconds(), "commits/s")
			b.ReportMetric(limit.Seconds()/took.Seconds(), "ratio")
		})
	}
}

// appendSync is how long it takes to append n records to a file with an fsync for each group.
func appendSync(b *testing.B, data []byte, n, group int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	start := time.Now()
	for i := range n {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if (i+1)%group == 0 || i == n-1 {
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	}
	return time.Since(start)
}
