package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
)

func TestAPlotShowsItsLimitsAndWhatTheyRaised(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	_, body := w.get("/sensors")
	for _, text := range []string{`class="limit"`, "alert above 5", "raised: above 5, for 5s", `class="raised-while"`} {
		if !strings.Contains(body, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	if n := strings.Count(body, "raised: "); n != 1 {
		t.Errorf("an alert's begin and end are %d alerts", n)
	}
	if curve := body[strings.Index(body, `class="curve"`):]; strings.Count(curve[:strings.Index(curve, "</path>")], "L") < 40 {
		t.Error("a young sensor's plot is coarse")
	}
	// Another value of the sensor has its own limits and alerts; the alert goes on.
	w.putJSON(event.Reading, "wind", "wind", w.start.Add(time.Minute), event.Attrs{}, event.ReadingData{Sensor: "wind", Values: map[string]float64{"gust high": 9}})
	w.putJSON(event.Reading, "wind", "wind", w.start.Add(2*time.Minute), event.Attrs{}, event.ReadingData{Sensor: "wind", Values: map[string]float64{"gust high": 11}})
	w.putJSON(event.Alert, "wind", "wind/gust high", w.start.Add(90*time.Second), event.Attrs{}, object{"sensor": "wind", "value": "gust high", "side": "below", "state": "begin", "limit": 1e5})
	w.caughtUp()
	_, body = w.get("/sensors")
	gust := body[strings.Index(body, "gust high"):]
	gust = gust[:strings.Index(gust, "</section>")]
	if strings.Contains(gust, "above 5") || strings.Contains(gust, `class="limit"`) || !strings.Contains(gust, "alert below 100000") || !strings.Contains(gust, "gust high below 100000, goes on") {
		t.Errorf("the other value's plot: %s", gust)
	}
}

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
