package telemetry

import (
	"errors"
	"fmt"
	"testing"
)

func TestOneKindOfFaultIsToldOnceWhateverItsNumbers(t *testing.T) {
	for name, same := range map[string][2]string{
		"ports":           {"read tcp 127.0.0.1:41234->127.0.0.1:1883: connection reset by peer", "read tcp 127.0.0.1:5->10.0.0.7:8883: connection reset by peer"},
		"IPv6":            {"dial tcp [::1]:1883: refused", "dial tcp [fe80::1%eth0]:1884: refused"},
		"bare IPv6":       {"lookup 2001:db8::1:2: timeout", "lookup 2001:db8:0:1:1:1:1:1: timeout"},
		"times":           {"no answer within 1m30.5s", "no answer within 900ms"},
		"a clock":         {"2026-01-02T03:04:05Z gone", "2025-11-12T13:14:15Z gone"},
		"memory":          {"[h264 @ 0x55b0f495a480] bad", "[h264 @ 0x7fff] bad"},
		"a count of days": {"expired 3 days ago", "expired 14 days ago"},
	} {
		var f Faults
		if !f.New(errors.New(same[0])) || f.New(errors.New(same[1])) {
			t.Errorf("%s: %q and %q", name, FaultKind(same[0]), FaultKind(same[1]))
		}
	}
	var f Faults
	if !f.New(errors.New("connection refused")) || !f.New(errors.New("connection reset")) {
		t.Error("two kinds are taken for one")
	}
	f.Mended()
	if !f.New(errors.New("connection refused")) {
		t.Error("a fault after things went well is not told")
	}
	for i := range 10_000 {
		f.New(fmt.Errorf("from outside: %c%c%c", 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26))
	}
	if len(f.logged) > mostFaults {
		t.Errorf("%d kinds are remembered", len(f.logged))
	}
}
