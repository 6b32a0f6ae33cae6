package console

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
	sensors, err := k.index.Sensors.All(ctx, maxPlots+1)
	if err != nil {
		return nil, err
	}
	if len(sensors) > maxPlots {
		sensors, body.More = sensors[:maxPlots], true
	}
	for _, s := range sensors {
		p, err := k.plot(ctx, s, long)
		if err != nil {
			return nil, err
		}
		body.Plots = append(body.Plots, p)
	}
	return body, nil
}

// plot draws a sensor's last readings, its limits and what it raised. It ends with the sensor's own
// latest reading: its clock is not this machine's.
func (k *Console) plot(ctx context.Context, s index.Sensor, long time.Duration) (plot, error) {
	from := s.Time.Add(-long)
	points, err := k.index.Sensors.Readings(ctx, s.Edge, s.Name, s.Key, from, s.Time)
	if err == nil && len(points) > 0 && points[0].Time.After(from.Add(long/2)) && points[0].Time.Before(s.Time) {
		from = points[0].Time // a young sensor's plot is not mostly empty, nor coarse
		points, err = k.index.Sensors.Readings(ctx, s.Edge, s.Name, s.Key, from, s.Time)
	}
	if err != nil {
		return plot{}, err
	}
	limits, err := k.index.Sensors.Limits(ctx, s.Edge, s.Name)
	if err != nil {
		return plot{}, err
	}
	p := drawPlot(s, points, slices.DeleteFunc(limits, func(l index.Limit) bool { return l.Key != s.Key }), from)
	alerts, err := k.index.Events.Find(ctx, index.EventQuery{Edge: s.Edge, Stream: s.Name, Kind: string(event.Alert), From: from, To: s.Time, Limit: fewRows})
	p.mark(alerts)
	return p, err
}
