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
		"no network here":   {mosaic.SceneStats{Facts: []event.SceneFact{{What: event.Screening, Value: "by the spectral test: cloud_edge_6b can't be loaded: no room", From: event.Fallback}}}, []string{"screening is by the spectral test: cloud_edge_6b can't be loaded: no room"}},
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

func TestWhoJudgedAScene(t *testing.T) {
	share := func(v float64) *float64 { return &v }
	for want, s := range map[string]mosaic.SceneStats{
		"screened by cloud_edge_6b, 4 of 4 tiles looked at in the cloud":                                                  {Screening: "cloud_edge_6b", Tiles: 4, Results: 4, NotJudged: share(0)},
		"screened by fmask-pcp, 5 of 9 tiles looked at in the cloud, of 2 the device's own mask taken; not judged 22.2 %": {Screening: "fmask-pcp", Tiles: 9, Results: 7, EdgeMasks: 2, NotJudged: share(2. / 9)},
		"screened by an unnamed rule, 0 of 9 tiles looked at in the cloud":                                                {Tiles: 9},
		"screened by visible, 9 of 10 tiles looked at in the cloud; not judged less than 0.1 %":                           {Screening: "visible", Tiles: 10, Results: 9, NotJudged: share(0.0004)},
	} {
		if got := whoJudged(&s); got != want {
			t.Errorf("%q, should be %q", got, want)
		}
	}
	for want, l := range map[string]sceneLine{"not judged": {}, "37.3 % cloud": {CloudFraction: share(.3726), NotJudged: share(0)}, "50 % cloud, not judged 37 %": {CloudFraction: share(.5), NotJudged: share(.37)}} {
		if got := cloudiness(l); got != want {
			t.Errorf("%q, should be %q", got, want)
		}
	}
}
