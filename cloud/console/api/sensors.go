package api

import (
	"fmt"
	"net/http"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
)

// sensors answers about readings.
type sensors struct{ o Options }

func (a sensors) endpoints() []endpoint {
	return []endpoint{
		get("/sensors", "Numbers that sensors send", nil, list[index.Sensor]{}, a.all),
		get("/sensors/{edge}/{sensor}/{key}", "A sensor's readings, folded into at most 480 points",
			[]parameter{{"from", "string", "date-time", "from this time on; else the last six hours"}, {"to", "string", "date-time", "up to this time"}}, list[index.Point]{}, a.readings),
		get("/limits/{edge}/{sensor}", "Levels at which a sensor's values raise alerts, as its alerts have said", nil, list[index.Limit]{}, a.limits),
	}
}

func (a sensors) all(r *http.Request) (any, error) {
	all, err := a.o.Index.Sensors.All(r.Context(), request.MaxRows)
	return list[index.Sensor]{Items: all}, err
}

func (a sensors) readings(r *http.Request) (any, error) {
	from, err := request.Time(r.URL.Query(), "from")
	if err != nil {
		return nil, err
	}
	to, err := request.Time(r.URL.Query(), "to")
	if err != nil {
		return nil, err
	}
	if to.IsZero() {
		to = a.o.Now()
	}
	if from.IsZero() {
		from = to.Add(-6 * time.Hour)
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("%w: from is not before to", request.ErrBad)
	}
	all, err := a.o.Index.Sensors.Readings(r.Context(), request.Name(r, "edge"), request.Name(r, "sensor"), request.Name(r, "key"), from, to)
	return list[index.Point]{Items: all}, err
}

func (a sensors) limits(r *http.Request) (any, error) {
	all, err := a.o.Index.Sensors.Limits(r.Context(), request.Name(r, "edge"), request.Name(r, "sensor"))
	return list[index.Limit]{Items: all}, err
}
