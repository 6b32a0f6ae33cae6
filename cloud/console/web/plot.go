package web

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/cloud/console/index"
)

// plot is a sensor's readings as SVG paths in a box of plotWidth x plotHeight.
type plot struct {
	index.Sensor
	Line, Band string // the mean, and what lies between low and high
	Low, High  float64
	From, To   time.Time
	Limits     []limitLine
	Raised     []raised
}

// limitLine is a level that raises an alert, and where it stands in the plot.
type limitLine struct {
	index.Limit
	Y    float64
	Seen bool // it lies within the plot
}

// raised is an alert that belongs to a sensor, and where it stands in the plot.
type raised struct {
	index.Event
	X, Width float64
}

const (
	plotWidth  = 600.0
	plotHeight = 120.0
	plotEdge   = 4.0 // above and below
	// A limit may take so many times the room of the readings; one that is farther off is given in words,
	// so that the curve stays one.
	limitRoom = 4.0
)

// drawPlot draws readings from a time to the sensor's latest, with those limits.
func drawPlot(s index.Sensor, points []index.Point, limits []index.Limit, from time.Time) plot {
	p := plot{Sensor: s, From: from, To: s.Time}
	if len(points) == 0 {
		return p
	}
	p.Low, p.High = points[0].Low, points[0].High
	for _, at := range points {
		p.Low, p.High = min(p.Low, at.Low), max(p.High, at.High)
	}
	room := p.High - p.Low
	if room == 0 {
		room = 1
	}
	bottom, top := p.Low, p.Low+room
	for _, l := range limits {
		seen := l.Level > p.Low-limitRoom*room && l.Level < p.High+limitRoom*room
		if seen {
			bottom, top = min(bottom, l.Level), max(top, l.Level)
		}
		p.Limits = append(p.Limits, limitLine{Limit: l, Seen: seen})
	}
	y := func(v float64) float64 {
		return plotHeight - plotEdge - (plotHeight-2*plotEdge)*(v-bottom)/(top-bottom)
	}
	for i := range p.Limits {
		p.Limits[i].Y = y(p.Limits[i].Level)
	}
	var line, band bytes.Buffer
	for i, at := range points {
		fmt.Fprintf(&line, "%c%.1f %.1f", "LM"[choose01(i == 0)], p.x(at.Time), y(at.Mean))
		fmt.Fprintf(&band, "%c%.1f %.1f", "LM"[choose01(i == 0)], p.x(at.Time), y(at.High))
	}
	for _, at := range slices.Backward(points) {
		fmt.Fprintf(&band, "L%.1f %.1f", p.x(at.Time), y(at.Low))
	}
	p.Line, p.Band = line.String(), band.String()+"Z"
	return p
}

// x is where a time lies in the plot.
func (p *plot) x(t time.Time) float64 {
	return plotWidth * min(max(float64(t.Sub(p.From))/float64(max(p.To.Sub(p.From), 1)), 0), 1)
}

// mark puts alerts into the plot: those about its value, and those that name none.
func (p *plot) mark(alerts []index.Event) {
	for _, a := range alerts {
		if key, named := index.LimitValue(a.Label); named && key != p.Key {
			continue
		}
		r := raised{Event: a, X: p.x(a.Time)}
		if !a.Until.IsZero() {
			r.Width = p.x(a.Until) - r.X
		} else if _, named := index.LimitValue(a.Label); named && a.State != "end" {
			r.Width = plotWidth - r.X // it goes on
		}
		p.Raised = append(p.Raised, r)
	}
}
