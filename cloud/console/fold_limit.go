package console

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

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
	text := a.Side + " " + number(a.Limit)
	if a.Value == "" || a.Value == "value" {
		return text
	}
	return a.Value + " " + text
}

// valueOf is the sensor's value that a label speaks of; ok is false for other alerts.
func valueOf(label string) (key string, ok bool) {
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
	key := cut(a.Value, maxName)
	if key == "" {
		key = "value"
	}
	_, err := b.tx.Exec("INSERT INTO limits VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET level = excluded.level, heard = excluded.heard",
		i.Edge, cut(i.Stream, maxName), key, a.Side, a.Limit, heard.UnixMilli())
	return err
}

// endAlert closes the alert that a sensor's value is in, and says whether there was one.
func (b *batch) endAlert(i event.Item, label string, heard time.Time) (bool, error) {
	result, err := b.tx.Exec(`UPDATE events SET state = 'end', until = ?, heard = ? WHERE n = (SELECT n FROM events
		WHERE edge = ? AND stream = ? AND kind = 'alert' AND label = ? AND state <> 'end' ORDER BY at DESC LIMIT 1)`,
		i.Time.UnixMilli(), heard.UnixMilli(), i.Edge, cut(i.Stream, maxName), cut(label, maxName))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	b.about(aboutEvent, i.Edge, i.Stream)
	return n > 0, err
}

// Limit is a level at which a sensor's value raises an alert, as its alerts have told.
type Limit struct {
	Key   string  `json:"key"`
	Side  string  `json:"side"` // above or below
	Level float64 `json:"level"`
}

func (x *index) limits(ctx context.Context, edge, sensor string) ([]Limit, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT key, side, level FROM limits WHERE edge = ? AND sensor = ? ORDER BY key, side LIMIT ?", edge, sensor, maxRows)
	if err != nil {
		return nil, fmt.Errorf("look up limits: %w", err)
	}
	defer rows.Close()
	all := []Limit{}
	for rows.Next() {
		var l Limit
		if err := rows.Scan(&l.Key, &l.Side, &l.Level); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}
