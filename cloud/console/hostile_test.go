package console

import (
	"encoding/json"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/visible"
)

func TestPagesShowWhatIsHiddenAndTheAPIStaysJSON(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	const evil = "gate\u202ex\u2066\u200b\u0085"
	w.putJSON(event.Reading, "wind", "wind", w.start, event.Attrs{}, event.ReadingData{Sensor: evil, Values: map[string]float64{evil: 1}})
	w.putDeadLetter("canvas/v1/\x1b[2J\u202e/up/2/reading", []byte("x\u202ey\x1b[31m"), "\x1b]0;PWN\x07 \u202e \xff")
	status := `{"status":"online","epoch":"e7","edge":"mast-7","version":"1\u001b]0;PWN\u0007\u202e","models":[{"name":"\u001b[2J","version":"2","refused":"3","reason":"\u202e\nEDGE  fake  row"}]}`
	w.console.takeStatus(t.Context(), mqtt.Message{Topic: event.StatusTopic("mast-7"), Payload: []byte(status)})
	w.caughtUp()
	w.caughtUpLetters(2)
	shown := 0
	for _, path := range []string{"/", "/scenes", "/cameras", "/sensors", "/link", "/cluster", "/letters", "/letters/0/0", "/letters/0/1"} {
		_, page := w.get(path)
		if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(page), visible.Hidden) {
			t.Errorf("%s hides something", path)
		}
		shown += strings.Count(page, `\u{202e}`)
	}
	if shown < 3 {
		t.Errorf("what is hidden is shown %d times", shown)
	}
	for _, path := range []string{"/api/v1/edges", "/api/v1/letters", "/api/v1/letters/0/1", "/api/v1/letters/sources", "/api/v1/sensors", "/api/v1/overview", "/api/v1/audit"} {
		if _, text := w.get(path); !json.Valid([]byte(text)) {
			t.Errorf("%s is no JSON: %s", path, text)
		}
	}
}
