package index

import (
	"context"
	"database/sql"
	"time"
)

// Sensors are asked for readings, and for the levels at which they raise alerts.
type Sensors struct{ db *sql.DB }

// Sensor is one number that a sensor sends again and again.
type Sensor struct {
	Edge  string    `json:"edge"`
	Name  string    `json:"name"`
	Key   string    `json:"key"` // "value" of a sensor that sends but one
	Last  float64   `json:"last"`
	Time  time.Time `json:"time"`
	Heard time.Time `json:"heard"`
	Count int64     `json:"count"`
}

// All lists sensors by edge and name, at most limit.
func (s Sensors) All(ctx context.Context, limit int) ([]Sensor, error) {
	return list(ctx, s.db, "sensors", func(s *Sensor) []any {
		return []any{&s.Edge, &s.Name, &s.Key, &s.Last, stamp{&s.Time}, stamp{&s.Heard}, &s.Count}
	}, "SELECT edge, name, key, last, at, heard, count FROM sensors ORDER BY edge, name, key LIMIT ?", limit)
}

// Point is some readings of a sensor, folded into one: as many as fell into its part of the time.
type Point struct {
	Time time.Time `json:"time"`
	Mean float64   `json:"mean"`
	Low  float64   `json:"low"`
	High float64   `json:"high"`
}

// points is how many a plot is folded into.
const points = 240

// Readings folds a sensor's numbers from a time on into at most points.
func (s Sensors) Readings(ctx context.Context, edge, sensor, key string, from, to time.Time) ([]Point, error) {
	step := max(to.Sub(from).Milliseconds()/points, 1)
	return list(ctx, s.db, "readings", func(p *Point) []any { return []any{stamp{&p.Time}, &p.Mean, &p.Low, &p.High} },
		`SELECT min(at), avg(value), min(value), max(value) FROM readings
		WHERE edge = ? AND sensor = ? AND key = ? AND at BETWEEN ? AND ? GROUP BY at / ? ORDER BY 1 LIMIT ?`,
		edge, sensor, key, from.UnixMilli(), to.UnixMilli(), step, 2*points)
}

// maxLimits bounds the levels of one sensor.
const maxLimits = 1000

// Limit is a level at which a sensor's value raises an alert, as its alerts have said.
type Limit struct {
	Key   string  `json:"key"`
	Side  string  `json:"side"` // above or below
	Level float64 `json:"level"`
}

// Limits lists the levels of a sensor.
func (s Sensors) Limits(ctx context.Context, edge, sensor string) ([]Limit, error) {
	return list(ctx, s.db, "limits", func(l *Limit) []any { return []any{&l.Key, &l.Side, &l.Level} },
		"SELECT key, side, level FROM limits WHERE edge = ? AND sensor = ? ORDER BY key, side LIMIT ?", edge, sensor, maxLimits)
}
