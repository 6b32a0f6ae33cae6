package index

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Sensors are asked for readings, and for the levels at which they raise alerts.
type Sensors struct{ db *sql.DB }

// Sensor is one number that a sensor tells again and again.
type Sensor struct {
	Edge  string    `json:"edge"`
	Name  string    `json:"name"`
	Key   string    `json:"key"` // "value" of a sensor that tells but one
	Last  float64   `json:"last"`
	Time  time.Time `json:"time"`
	Heard time.Time `json:"heard"`
	Count int64     `json:"count"`
}

// All lists sensors by edge and name, at most limit.
func (s Sensors) All(ctx context.Context, limit int) ([]Sensor, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT edge, name, key, last, at, heard, count FROM sensors ORDER BY edge, name, key LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("look up sensors: %w", err)
	}
	defer rows.Close()
	all := []Sensor{}
	for rows.Next() {
		var one Sensor
		var at, heard int64
		if err := rows.Scan(&one.Edge, &one.Name, &one.Key, &one.Last, &at, &heard, &one.Count); err != nil {
			return nil, err
		}
		one.Time, one.Heard = instant(at), instant(heard)
		all = append(all, one)
	}
	return all, rows.Err()
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
	rows, err := s.db.QueryContext(ctx, `SELECT min(at), avg(value), min(value), max(value) FROM readings
		WHERE edge = ? AND sensor = ? AND key = ? AND at BETWEEN ? AND ? GROUP BY at / ? ORDER BY 1 LIMIT ?`,
		edge, sensor, key, from.UnixMilli(), to.UnixMilli(), step, 2*points)
	if err != nil {
		return nil, fmt.Errorf("look up readings: %w", err)
	}
	defer rows.Close()
	all := []Point{}
	for rows.Next() {
		var p Point
		var at int64
		if err := rows.Scan(&at, &p.Mean, &p.Low, &p.High); err != nil {
			return nil, err
		}
		p.Time = instant(at)
		all = append(all, p)
	}
	return all, rows.Err()
}

// maxLimits bounds the levels of one sensor.
const maxLimits = 1000

// Limit is a level at which a sensor's value raises an alert, as its alerts have told.
type Limit struct {
	Key   string  `json:"key"`
	Side  string  `json:"side"` // above or below
	Level float64 `json:"level"`
}

// Limits lists the levels of a sensor.
func (s Sensors) Limits(ctx context.Context, edge, sensor string) ([]Limit, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT key, side, level FROM limits WHERE edge = ? AND sensor = ? ORDER BY key, side LIMIT ?", edge, sensor, maxLimits)
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
