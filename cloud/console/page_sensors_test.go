package console

import (
	"strings"
	"testing"
	"time"

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
