package console

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"cloudcanvas/shared/event"
)

type sensorsBody struct {
	Plots []plot
	Spans []string
	Span  string
	More  bool
}

// plot is a sensor's readings as SVG paths in a box of plotWidth x plotHeight.
type plot struct {
	Sensor
	Line, Band string // the mean, and what lies between low and high
	Low, High  float64
	From, To   time.Time
	Raised     []raised
}

// raised is an alert that belongs to a sensor, and where it stands in the plot.
type raised struct {
	Event
	X float64
}

const (
	plotWidth  = 600.0
	plotHeight = 120.0
	maxPlots   = 24
)

// spans are how far back plots can look.
var spans = []struct {
	name string
	long time.Duration
}{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}}

func (k *Console) sensorsPage(r *http.Request) (any, error) {
	ctx := r.Context()
	body := sensorsBody{Span: r.URL.Query().Get("span")}
	long := spans[1].long
	for _, s := range spans {
		body.Spans = append(body.Spans, s.name)
		if s.name == body.Span {
			long = s.long
		}
	}
	if body.Span == "" {
		body.Span = spans[1].name
	}
	sensors, err := k.index.sensors(ctx, maxPlots+1)
	if err != nil {
		return nil, err
	}
	if len(sensors) > maxPlots {
		sensors, body.More = sensors[:maxPlots], true
	}
	for _, s := range sensors {
		// The plot ends with the sensor's own latest reading: its clock is not this machine's.
		from := s.Time.Add(-long)
		points, err := k.index.readings(ctx, s.Edge, s.Name, s.Key, from, s.Time)
		if err != nil {
			return nil, err
		}
		if len(points) > 0 && points[0].Time.After(from) && points[0].Time.Before(s.Time) {
			from = points[0].Time // a young sensor's plot is not mostly empty
		}
		p := drawPlot(s, points, from)
		alerts, err := k.index.events(ctx, eventQuery{edge: s.Edge, stream: s.Name, kind: string(event.Alert), from: from, to: s.Time, limit: fewRows})
		if err != nil {
			return nil, err
		}
		for _, a := range alerts {
			p.Raised = append(p.Raised, raised{a, plotWidth * float64(a.Time.Sub(from)) / float64(max(s.Time.Sub(from), 1))})
		}
		body.Plots = append(body.Plots, p)
	}
	return body, nil
}

func drawPlot(s Sensor, points []Point, from time.Time) plot {
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
	x := func(t time.Time) float64 {
		return plotWidth * float64(t.Sub(from)) / float64(max(p.To.Sub(from), 1))
	}
	y := func(v float64) float64 { return plotHeight - 4 - (plotHeight-8)*(v-p.Low)/room }
	var line, band bytes.Buffer
	for i, at := range points {
		fmt.Fprintf(&line, "%c%.1f %.1f", "LM"[choose01(i == 0)], x(at.Time), y(at.Mean))
		fmt.Fprintf(&band, "%c%.1f %.1f", "LM"[choose01(i == 0)], x(at.Time), y(at.High))
	}
	for i := len(points) - 1; i >= 0; i-- {
		fmt.Fprintf(&band, "L%.1f %.1f", x(points[i].Time), y(points[i].Low))
	}
	p.Line, p.Band = line.String(), band.String()+"Z"
	return p
}
