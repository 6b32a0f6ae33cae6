package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAStatusKeepsItsLinkReportWithinBounds(t *testing.T) {
	r := LinkReport{Hold: strings.Repeat("é", 500), Ladder: make([]LadderStep, 100), Past: make([]ContactWindow, 50), Coming: make([]ContactWindow, 50), Next: make([]NextItem, 50), Networks: make([]NetworkCounts, 50)}
	r.Past[49].From = time.Unix(1, 0)
	r.Next[0].Subject = strings.Repeat("x", 5000)
	b, err := json.Marshal(Status{Status: Online, Edge: "mast", Link: &r})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseStatus(b)
	if err != nil {
		t.Fatal(err)
	}
	l := s.Link
	if len(l.Ladder) != MaxLadder || len(l.Past) != MaxWindows || len(l.Coming) != MaxWindows || len(l.Next) != MaxNext || len(l.Networks) != MaxNetworks || len(l.Hold) > maxReportText || len(l.Next[0].Subject) > maxReportText {
		t.Errorf("%d steps, %d and %d windows, %d next, hold of %d bytes", len(l.Ladder), len(l.Past), len(l.Coming), len(l.Next), len(l.Hold))
	}
	if !l.Past[MaxWindows-1].From.Equal(time.Unix(1, 0)) {
		t.Error("the latest of the windows past is not kept")
	}
	if b, err = json.Marshal(s); err != nil || len(b) > 16<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if s, err := ParseStatus([]byte(`{"status":"offline","edge":"mast"}`)); err != nil || s.Link != nil {
		t.Errorf("a will: %+v %v", s, err)
	}
}
