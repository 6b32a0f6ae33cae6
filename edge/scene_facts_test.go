package edge

import (
	"strings"
	"testing"

	"cloudcanvas/shared/event"
)

func TestAManifestSaysWhereNearlyAllIsLeftOutForOneReason(t *testing.T) {
	tiles := func(sent int, dropped map[string]int) (m event.Manifest) {
		for range sent {
			m.Tiles = append(m.Tiles, event.TileDecision{Decision: event.TileSent})
		}
		for reason, n := range dropped {
			for range n {
				m.Tiles = append(m.Tiles, event.TileDecision{Decision: event.TileDropped, Reason: reason})
			}
		}
		return m
	}
	for name, c := range map[string]struct {
		m    event.Manifest
		want string // empty: nothing is said
	}{
		"eight of nine are cloud":   {tiles(1, map[string]int{"cloud": 8}), "8 of 9 tiles were left out as cloud"},
		"all without data":          {tiles(0, map[string]int{"nodata": 9}), "9 of 9 tiles were left out as nodata"},
		"all broken":                {tiles(0, map[string]int{"unreadable": 9}), "9 of 9 tiles were left out as unreadable"},
		"half of them":              {tiles(5, map[string]int{"cloud": 5}), ""},
		"two reasons":               {tiles(0, map[string]int{"cloud": 5, "nodata": 5}), ""},
		"nothing has changed":       {tiles(0, map[string]int{"unchanged": 9}), ""},
		"a scene of a single tile":  {tiles(0, map[string]int{"cloud": 1}), ""},
		"a scene without any tiles": {tiles(0, nil), ""},
	} {
		facts := nearlyAllSkipped(c.m)
		if said := len(facts) == 1 && c.want != "" && strings.Contains(facts[0].Value, c.want) && facts[0].What == event.Implausible; !said && (c.want != "" || len(facts) > 0) {
			t.Errorf("%s: %+v", name, facts)
		}
	}
}
