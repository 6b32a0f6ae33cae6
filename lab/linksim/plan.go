package linksim

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"cloudcanvas/edge/uplink/contact"
)

// PlanOptions say how a plan of contacts is made: from orbital elements and ground stations.
type PlanOptions struct {
	TLE            string // two lines; empty: DefaultElements
	Stations       []contact.Station
	MinElevation   float64
	Days           float64
	BytesPerSecond float64
}

// DefaultElements are of no real satellite: a sun-synchronous orbit at about 500 km.
var DefaultElements = strings.Join([]string{
	"1 99999U 26001A   26060.00000000  .00000000  00000-0  00000-0 0    12",
	"2 99999  97.4000 130.0000 0010000  90.0000   0.0000 15.21900000    10",
}, "\n")

// DefaultPlan is that orbit over two stations near the poles: a contact in most half orbits.
func DefaultPlan() PlanOptions {
	return PlanOptions{Stations: []contact.Station{{Latitude: 78.23, Longitude: 15.41, Altitude: 450}, {Latitude: -72.01, Longitude: 2.53, Altitude: 1270}},
		MinElevation: 10, Days: 7, BytesPerSecond: 20_000}
}

// Predict makes the plan. It begins at the epoch of the elements.
func Predict(o PlanOptions) (Plan, error) {
	if o.TLE == "" {
		o.TLE = DefaultElements
	}
	e, err := contact.ParseElements(o.TLE)
	if err != nil {
		return Plan{}, fmt.Errorf("the orbital elements: %w", err)
	}
	if len(o.Stations) == 0 {
		return Plan{}, fmt.Errorf("no ground station is given")
	}
	plan := Plan{Begin: e.Epoch, BytesPerSecond: o.BytesPerSecond}
	until := e.Epoch.Add(time.Duration(o.Days * 24 * float64(time.Hour)))
	for _, s := range o.Stations {
		orbit, err := contact.NewOrbit(contact.Orbit{TLE: e.Lines[:], Station: s, MinElevation: o.MinElevation, BytesPerSecond: o.BytesPerSecond})
		if err != nil {
			return Plan{}, err
		}
		plan.Windows = append(plan.Windows, orbit.Windows(e.Epoch, until)...)
	}
	plan.Windows = apart(plan.Windows)
	if len(plan.Windows) == 0 {
		return Plan{}, fmt.Errorf("the satellite never rises above %g degrees at the stations in %g days", o.MinElevation, o.Days)
	}
	return plan, nil
}

// apart orders windows and cuts where two overlap: one antenna is spoken to at a time.
func apart(all []contact.Window) []contact.Window {
	slices.SortFunc(all, func(a, b contact.Window) int { return a.From.Compare(b.From) })
	var out []contact.Window
	for _, w := range all {
		if n := len(out); n > 0 && w.From.Before(out[n-1].To) {
			w.From = out[n-1].To
		}
		if w.From.Before(w.To) {
			out = append(out, w)
		}
	}
	return out
}

// ReadPlan reads a plan of windows from a JSON file: [{"from","to","bytes_per_second"},…]. It begins
// with the first.
func ReadPlan(file string, bytesPerSecond float64) (Plan, error) {
	f, err := os.Open(file)
	if err != nil {
		return Plan{}, fmt.Errorf("read the contact plan: %w", err)
	}
	defer f.Close()
	var entries []contact.Entry
	d := json.NewDecoder(io.LimitReader(f, 16<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&entries); err != nil {
		return Plan{}, fmt.Errorf("read the contact plan %s: %w: [{\"from\":\"2026-03-01T10:00:00Z\",\"to\":…,\"bytes_per_second\":…}] is wanted", file, err)
	}
	list, err := contact.ParseList(entries)
	if err != nil {
		return Plan{}, fmt.Errorf("read the contact plan %s: %w", file, err)
	}
	if len(list) == 0 {
		return Plan{}, fmt.Errorf("read the contact plan %s: it has no windows", file)
	}
	return Plan{Begin: list[0].From, Windows: list, BytesPerSecond: bytesPerSecond}, nil
}
