package detect

import (
	"slices"
	"time"
)

// Alert is the data of an item of kind alert: something began that a person wants to know of.
type Alert struct {
	Camera string     `json:"camera"`
	Label  string     `json:"label"`
	Track  string     `json:"track"` // the first object of the activity
	Score  float32    `json:"score"` // 0 … 1
	Box    [4]float32 `json:"box"`   // x, y, width, height in pixels of the original frame
	Frame  int        `json:"frame"`
	Time   time.Time  `json:"time"`
}

// alerts raises one alert for each activity: the first object of a label, however many follow it
// and however often one is lost and found, until none was there for the quiet time.
type alerts struct {
	config AlertConfig
	last   map[string]time.Time // an object of the label was there
}

func newAlerts(c AlertConfig) *alerts { return &alerts{config: c, last: map[string]time.Time{}} }

// see takes one confirmed object in a frame and says whether it is the first of an activity. The
// quiet time is measured by the frames, not by the clock, so that a video gives the same however
// fast it is read.
func (a *alerts) see(label string, at time.Time) bool {
	if a.config.Off || len(a.config.Labels) > 0 && !slices.Contains(a.config.Labels, label) {
		return false
	}
	last, known := a.last[label]
	if !known || at.After(last) {
		a.last[label] = at
	}
	return !known || at.Sub(last) >= a.config.Quiet
}
