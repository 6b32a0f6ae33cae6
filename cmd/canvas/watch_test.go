package main

import (
	"strings"
	"testing"

	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/shared/event"
)

func TestWarningsTellWhatIsAssumedAndWhatLooksWrong(t *testing.T) {
	share := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		s    mosaic.SceneStats
		want []string
	}{
		"nothing is wrong":  {mosaic.SceneStats{Results: 9, CloudFraction: share(0.4), Facts: []event.SceneFact{{What: "reflectance", Value: "stored x 0.0001", From: "file"}}}, nil},
		"assumed":           {mosaic.SceneStats{Facts: []event.SceneFact{{What: "time", Value: "2024", From: event.Assumed}}}, []string{"time is assumed: 2024"}},
		"implausible":       {mosaic.SceneStats{Facts: []event.SceneFact{{What: event.Implausible, Value: "8 of 9 tiles were left out as cloud", From: "pixels"}}}, []string{"8 of 9 tiles"}},
		"overcast":          {mosaic.SceneStats{Results: 9, CloudFraction: share(1)}, []string{"100 % of what was looked at is cloud"}},
		"nobody has looked": {mosaic.SceneStats{CloudFraction: share(1)}, nil},
	} {
		got := warnings(&c.s)
		ok := len(got) == len(c.want)
		for i := range c.want {
			ok = ok && strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}
