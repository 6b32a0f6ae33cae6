package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// desk answers what the cloud asks for in full: what waits is made urgent, a tile that was left out
// is read again from its scene's file, and a camera is asked for its next picture. Each query gets
// an answer, and the same query twice changes nothing.
type desk struct {
	box    buffer
	shelf  *shelf
	wishes *wishes
	log    *slog.Logger
	tile   func(path, id string, o capture.SceneOptions, name string) (capture.Picture, error)
	asked  chan event.Query
}

// maxAsked bounds the queries that wait. More are left unanswered: the cloud asks again.
const maxAsked = 256

func newDesk(b buffer, s *shelf, w *wishes, log *slog.Logger) *desk {
	return &desk{box: b, shelf: s, wishes: w, log: log, tile: capture.ReadTile, asked: make(chan event.Query, maxAsked)}
}

// ask takes a query as it came; it never blocks.
func (d *desk) ask(payload []byte) {
	q, err := event.ParseQuery(payload)
	if err != nil {
		d.log.Warn("a query from the cloud can't be read", telemetry.Err, err)
		return
	}
	select {
	case d.asked <- q:
	default:
		d.log.Warn("a query from the cloud is left out: too many wait", "query", q.ID)
	}
}

// run answers until ctx ends. A query whose answer can't be committed is left unanswered.
func (d *desk) run(ctx context.Context) {
	for {
		select {
		case q := <-d.asked:
			if err := d.serve(ctx, q); err != nil && ctx.Err() == nil {
				d.log.Warn("a query from the cloud is not answered", "query", q.ID, telemetry.Err, err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// serve does what is asked and commits the answer.
func (d *desk) serve(ctx context.Context, q event.Query) error {
	answer := event.QueryAnswer{Query: q.ID}
	var err error
	if answer.Answer, answer.Items, err = d.find(ctx, q); errors.Is(err, errUnknown) {
		answer.Answer, answer.Problem = event.QueryUnknown, err.Error()
	} else if err != nil {
		return err
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return d.box.Commit(ctx, draft{Draft: outbox.Draft{Kind: event.Answer, Stream: "query", Subject: q.ID, Priority: event.High, Value: 1,
		Type: "application/json", Data: data, Key: queryKey(q, "answer")}})
}

func queryKey(q event.Query, part string) string { return "query/" + q.ID + "/" + part }

// errUnknown marks what can't be had; it is part of the answer.
var errUnknown = errors.New("it can't be had")

// find raises what is asked for where it waits, and else looks where it can still be had.
func (d *desk) find(ctx context.Context, q event.Query) (answer string, items int, err error) {
	subject := q.Scene + "/" + q.Tile
	switch {
	case q.Frame == event.FrameNow:
		if !d.wishes.want(q.Camera, queryKey(q, "frame"), time.Now()) {
			return "", 0, fmt.Errorf("%w: there is no camera %s here, or too much is asked of it", errUnknown, q.Camera)
		}
		return event.QueryAsked, 1, nil
	case q.Frame != "":
		subject = q.Camera + "/frame-" + q.Frame
	case q.Track != "":
		subject = q.Camera + "/" + q.Track
	}
	n, err := d.box.Raise(ctx, subject, event.High)
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("make %s urgent: %w", subject, err)
	case n > 0:
		return event.QueryRaised, n, nil
	case q.Scene == "":
		return "", 0, fmt.Errorf("%w: nothing of %s waits here; it was sent, or was never kept", errUnknown, subject)
	}
	if err := d.readAgain(ctx, q); err != nil {
		return "", 0, err
	}
	return event.QuerySent, 1, nil
}

// readAgain commits a tile from its scene's file.
func (d *desk) readAgain(ctx context.Context, q event.Query) error {
	s, ok := d.shelf.find(q.Scene)
	if !ok {
		return fmt.Errorf("%w: scene %s is not known here", errUnknown, q.Scene)
	}
	if fileKey(s.Path) != s.File {
		return fmt.Errorf("%w: the file of scene %s is gone, or another one", errUnknown, q.Scene)
	}
	p, err := d.tile(s.Path, s.Scene, s.Options, q.Tile)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	data, err := p.Scene.Encode(p.Image, *p.Tile)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	tile := tileDraft(p, s.Options.Want, data)
	tile.Priority, tile.Value, tile.Key = event.High, 1, queryKey(q, "tile")
	return d.box.Commit(ctx, draft{Draft: tile})
}
