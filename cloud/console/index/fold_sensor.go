package index

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// limitAlert is the part of a sensor's alert that is shown: a limit was reached, or left again.
type limitAlert struct {
	Sensor string  `json:"sensor"`
	Value  string  `json:"value"` // which of the sensor's values
	Side   string  `json:"side"`  // above, below or rate
	State  string  `json:"state"` // begin or end
	Limit  float64 `json:"limit"`
}

// sides of a limit. A rate is no level: it has no line in a plot.
var sides = []string{"above", "below", "rate"}

// label is what the alert says, in words: temperature above 80.
func (a limitAlert) label() string {
	text := a.Side + " " + text.Number(a.Limit)
	if a.Value == "" || a.Value == "value" {
		return text
	}
	return a.Value + " " + text
}

// LimitValue is the sensor's value that a label speaks of; ok is false for other alerts.
func LimitValue(label string) (key string, ok bool) {
	words := strings.Split(label, " ")
	n := len(words)
	if n < 2 {
		return "", false
	}
	for _, side := range sides {
		if words[n-2] == side {
			if n == 2 {
				return "value", true
			}
			return strings.Join(words[:n-2], " "), true
		}
	}
	return "", false
}

// limit notes at which level a sensor's value raises an alert.
func (b *batch) limit(i event.Item, a limitAlert, heard time.Time) error {
	if a.Side == "rate" || math.IsInf(a.Limit, 0) {
		return nil
	}
	key := text.Cut(a.Value, text.MaxName)
	if key == "" {
		key = "value"
	}
	_, err := b.tx.Exec("INSERT INTO limits VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET level = excluded.level, heard = excluded.heard",
		i.Edge, text.Cut(i.Stream, text.MaxName), key, a.Side, a.Limit, heard.UnixMilli())
	return err
}

// endAlert closes the alert that a sensor's value is in, and says whether there was one.
func (b *batch) endAlert(i event.Item, label string, heard time.Time) (bool, error) {
	result, err := b.tx.Exec(`UPDATE events SET state = 'end', until = ?, heard = ? WHERE n = (SELECT n FROM events
		WHERE edge = ? AND stream = ? AND kind = 'alert' AND label = ? AND state <> 'end' ORDER BY at DESC LIMIT 1)`,
		i.Time.UnixMilli(), heard.UnixMilli(), i.Edge, text.Cut(i.Stream, text.MaxName), text.Cut(label, text.MaxName))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	b.about(AboutEvent, i.Edge, i.Stream)
	return n > 0, err
}

// reading keeps a sensor's numbers.
func (b *batch) reading(i event.Item, heard time.Time) error {
	var r event.ReadingData
	if err := json.Unmarshal(i.Data, &r); err != nil {
		return unreadable(fmt.Errorf("reading: %w", err))
	}
	sensor := text.Cut(r.Sensor, text.MaxName)
	if sensor == "" {
		sensor = text.Cut(i.Stream, text.MaxName)
	}
	at := i.Time.UnixMilli()
	for key, value := range r.Values {
		key = text.Cut(key, text.MaxName)
		if _, err := b.tx.Exec("INSERT INTO readings (edge, sensor, key, at, value) VALUES (?, ?, ?, ?, ?)", i.Edge, sensor, key, at, value); err != nil {
			return err
		}
		_, err := b.tx.Exec(`INSERT INTO sensors VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1,
			last = CASE WHEN excluded.at >= at THEN excluded.last ELSE last END, at = max(at, excluded.at), heard = excluded.heard`,
			i.Edge, sensor, key, value, at, heard.UnixMilli())
		if err != nil {
			return err
		}
	}
	b.about(AboutSensor, i.Edge, sensor)
	return nil
}
