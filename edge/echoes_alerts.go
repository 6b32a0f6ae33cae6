package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// targetAlert is the data of an item of kind alert: something bright in a radar's image.
type targetAlert struct {
	Scene       string     `json:"scene"`
	Target      int        `json:"target"` // its number within the scene, from 1
	Class       sar.Class  `json:"class"`
	Time        *time.Time `json:"time,omitempty"` // zero-Doppler; where the file says when the first line was taken
	Seconds     float64    `json:"seconds"`        // after the first line
	Lat         *float64   `json:"lat,omitempty"`  // on the ellipsoid; where the file has an orbit
	Lon         *float64   `json:"lon,omitempty"`
	Row         float64    `json:"row"`
	Col         float64    `json:"col"`
	SlantRangeM float64    `json:"slant_range_m"`
	LengthM     float64    `json:"length_m"`
	ClutterDB   float64    `json:"clutter_db"` // its peak over the mean of its surroundings
	ThresholdDB float64    `json:"threshold_db"`
}

// What an alert is worth beside others as urgent: ships go before what nobody knows.
const (
	shipWorth   = 1
	brightWorth = 0.5
)

// report commits an alert for each target of a block; and all of them together where no worker will look for them.
func (e *echoesPipeline) report(ctx context.Context, p capture.Picture, found sar.Found, parent string) error {
	e.leftOut += found.LeftOut
	for n, t := range found.Targets {
		e.targets++
		a := e.alertOf(p.Stream, t)
		at := p.At
		if a.Time != nil {
			at = *a.Time
		}
		data, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("target %d of scene %s: %w", e.targets, p.Stream, err)
		}
		worth := brightWorth
		if t.Class == sar.Ship {
			worth = shipWorth
		}
		err = e.commit(ctx, fmt.Sprintf("%s/target/%d", p.Block.Name(), n), outbox.Draft{Kind: event.Alert, Stream: p.Stream, Subject: fmt.Sprintf("%s/%d", p.Stream, e.targets), Time: at,
			Priority: event.Urgent, Value: worth, Attrs: event.Attrs{Scene: p.Stream, TraceParent: parent}, Type: "application/json", Data: data})
		if err != nil {
			return err
		}
	}
	if e.source.Complex || e.source.Alerts.Off {
		return nil
	}
	data, err := sar.EncodeTargets(found.Targets)
	if err != nil {
		return fmt.Errorf("targets of scene %s: %w", p.Stream, err)
	}
	return e.commit(ctx, p.Block.Name()+"/targets", outbox.Draft{Kind: event.Result, Stream: p.Stream, Subject: p.Stream + "/" + p.Block.Name() + "/targets", Time: p.At, Priority: event.High, Value: 1,
		Attrs: event.Attrs{Scene: p.Stream, Tile: p.Block.Name(), Model: sar.Detector, ModelVersion: sar.DetectorVersion, TraceParent: parent}, Type: sar.TargetsType, Data: data})
}

func (e *echoesPipeline) alertOf(scene string, t sar.Target) targetAlert {
	p := e.plan.Params
	a := targetAlert{Scene: scene, Target: e.targets, Class: t.Class, Row: round(t.Row, 100), Col: round(t.Col, 100), SlantRangeM: round(t.RangeM, 10), LengthM: round(t.LengthM, 1),
		ClutterDB: round(t.ClutterDB, 10), ThresholdDB: e.source.Alerts.ThresholdDB, Seconds: round((t.Row+float64(e.plan.RowOffset))/p.PRFHz, 1e6)}
	if !p.StartTime.IsZero() {
		at := p.StartTime.Add(time.Duration(a.Seconds * float64(time.Second))).Round(time.Microsecond).UTC()
		a.Time = &at
	}
	if e.place != nil {
		if lat, lon, err := e.place.Place(t.Row, t.Col, 0); err == nil {
			lat, lon = round(lat, 1e6), round(lon, 1e6)
			a.Lat, a.Lon = &lat, &lon
		}
	}
	return a
}

// round keeps so many parts of 1: what is beyond costs bytes and says nothing.
func round(v, parts float64) float64 { return math.Round(v*parts) / parts }
