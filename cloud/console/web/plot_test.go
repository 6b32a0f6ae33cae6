package web

import (
	"fmt"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
)

func TestALimitsLineLiesWhereItsLevelIs(t *testing.T) {
	now := time.Now()
	points := []index.Point{{Time: now.Add(-time.Minute), Mean: 10, Low: 10, High: 10}, {Time: now, Mean: 20, Low: 20, High: 20}}
	for _, c := range []struct {
		level float64
		y     string
		seen  bool
	}{{20, "4", true}, {10, "116", true}, {15, "60", true}, {30, "4", true}, {0, "116", true}, {61, "", false}, {-31, "", false}} {
		p := drawPlot(index.Sensor{Key: "value", Time: now}, points, []index.Limit{{Key: "value", Side: "above", Level: c.level}}, now.Add(-time.Minute))
		l := p.Limits[0]
		if l.Seen != c.seen || c.seen && fmt.Sprintf("%.0f", l.Y) != c.y || p.Low != 10 || p.High != 20 {
			t.Errorf("level %v lies at %v, seen %v", c.level, l.Y, l.Seen)
		}
	}
}
