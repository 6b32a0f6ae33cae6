package text

import (
	"testing"
	"time"
)

func TestSizesAndTimesAreForPeople(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 58_500_000: "58.5 MB", 1 << 62: "4.6 EB"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
	now := time.Now()
	for d, want := range map[time.Duration]string{3 * time.Second: "3 s", 61 * time.Second: "1 min", 72 * time.Hour: "3 days"} {
		if got := Ago(now, now.Add(-d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
