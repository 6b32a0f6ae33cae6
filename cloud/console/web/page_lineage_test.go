package web

import (
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
)

func TestATilesRowLeadsToWhatBecameOfIt(t *testing.T) {
	s := index.Scene{ID: "alpha beta", Manifested: time.Now().Add(-90 * time.Minute)}
	if got := lineagePath(s, "3_4"); got != "/story?item=alpha+beta%2F3_4&since=3h0m0s" {
		t.Error(got)
	}
}
