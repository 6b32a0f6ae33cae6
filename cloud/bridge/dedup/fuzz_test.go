package dedup

import (
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// FuzzCheckpoint: a checkpoint that was damaged is an error, not a crash.
func FuzzCheckpoint(f *testing.F) {
	l := New(time.Now)
	l.Add("mast", "e1", 1, 2, 5, 9)
	records, err := l.Save(slots.Owned{Slots: slots.Every}, Offsets{"canvas.events": {0: 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(records[slots.Of("mast")].Key, records[slots.Of("mast")].Value)
	f.Add([]byte("7"), []byte(`{"slot":7,"edges":{"mast":{"e":{"through":3,"last":{"seq":3,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","sum":"AQID"},"conflicts":[{"seq":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}],"conflict":"2026-01-01T00:00:00Z"}}},"devices":{"mast":{"newer":true,"named":["e"],"twins":["e","f"],"since":"2026-01-01T00:00:00Z","last":"2026-01-01T00:00:00Z","day":3,"stored":9}}}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		c, err := parseCheckpoint(kafka.Record{Key: key, Value: value})
		if err != nil {
			return
		}
		back := New(time.Now)
		if back.Load(c) == nil {
			for _, r := range mustSave(t, back) {
				if again, err := parseCheckpoint(r); err != nil || New(time.Now).Load(again) != nil {
					t.Fatalf("what was read can't be written and read again: %v", err)
				}
			}
			for _, s := range back.Status() {
				if r := (event.Receipt{Epoch: "e", Through: s.Through}); r.Check() != nil {
					t.Fatal(r)
				}
			}
		}
	})
}

func mustSave(t *testing.T, l *State) []kafka.Record {
	records, err := l.Save(slots.Owned{Slots: slots.Every}, Offsets{})
	if err != nil {
		t.Fatal(err)
	}
	return records
}
