package main

import (
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
)

func TestStatusNamesBridgesAndLateGaps(t *testing.T) {
	now := time.Now()
	var out strings.Builder
	w := table(&out)
	printBridges(w, map[string]coord.Owner{slots.Lease(3): {Member: "cloud-1"}, slots.Lease(63): {Member: "cloud-1"}},
		[]dedup.EdgeStatus{
			{Edge: "mast", Epoch: "e1", Missing: 3, Gaps: []event.Range{{From: 4, To: 5}, {From: 9, To: 9}}, Since: now.Add(-2 * time.Hour), Last: now},
			{Edge: "vessel", Epoch: "e1", Missing: 1, Since: now, Last: now},
			{Edge: "mast", Epoch: "e0", Last: now},
			{Edge: "pass", Epoch: "e5", Last: now, Twin: "e6"},
			{Edge: "pass", Epoch: "e6", Last: now, Twin: "e5", Refused: map[string]uint64{"queue": 7, "ahead": 2}},
		}, now)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cloud-1  2\n", "edges known  3\n", "ahead 2, queue 7\n", "epochs e5 and e6: ", "2h0m0s  0s          4-5 9\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "TWINS") != 1 {
		t.Errorf("a pair is told more than once:\n%s", out.String())
	}
	if strings.Contains(out.String(), "vessel") {
		t.Error("a gap that has just opened is told")
	}
}
