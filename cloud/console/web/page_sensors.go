package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/event"
)

type sensorsBody struct {
	Plots []plot
	Spans []string
	Span  string
	More  bool
}

const maxPlots = 24

// spans are how far back plots can look.
var spans = []struct {
	name string
	long time.Duration
}{{"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}}

func (s *Site) sensors(r *http.Request) (any, error) {
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
	sensors, err := s.o.Index.Sensors.All(ctx, maxPlots+1)
	if err != nil {
		return nil, err
	}
	if len(sensors) > maxPlots {
		sensors, body.More = sensors[:maxPlots], true
	}
	for _, sensor := range sensors {
		p, err := s.plot(ctx, sensor, long)
		if err != nil {
			return nil, err
		}
		body.Plots = append(body.Plots, p)
	}
	return body, nil
}

// plot draws a sensor's last readings, its limits and what it raised. It ends with the sensor's own
// latest reading: its clock is not this machine's.
func (s *Site) plot(ctx context.Context, of index.Sensor, long time.Duration) (plot, error) {
	from := of.Time.Add(-long)
	points, err := s.o.Index.Sensors.Readings(ctx, of.Edge, of.Name, of.Key, from, of.Time)
	if err == nil && len(points) > 0 && points[0].Time.After(from.Add(long/2)) && points[0].Time.Before(of.Time) {
		from = points[0].Time // a young sensor's plot is not mostly empty, nor coarse
		points, err = s.o.Index.Sensors.Readings(ctx, of.Edge, of.Name, of.Key, from, of.Time)
	}
	if err != nil {
		return plot{}, err
	}
	limits, err := s.o.Index.Sensors.Limits(ctx, of.Edge, of.Name)
	if err != nil {
		return plot{}, err
	}
	p := drawPlot(of, points, slices.DeleteFunc(limits, func(l index.Limit) bool { return l.Key != of.Key }), from)
	alerts, err := s.o.Index.Events.Find(ctx, index.EventQuery{Edge: of.Edge, Stream: of.Name, Kind: string(event.Alert), From: from, To: of.Time, Limit: fewRows})
	p.mark(alerts)
	return p, err
}
