package index

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

func trackID(edge, camera, track string) string { return "track/" + edge + "/" + camera + "/" + track }

// track keeps one row for an object's life, whatever number of updates it has.
func (b *batch) track(i event.Item, heard time.Time) error {
	t, err := event.ParseTrack(i)
	if err != nil {
		return unreadable(err)
	}
	s := t.After
	until := int64(0)
	if s.EndTime != nil {
		until = int64(*s.EndTime * 1000)
	}
	return b.event(row{
		id: trackID(i.Edge, s.Camera, s.ID), kind: string(event.Track), edge: i.Edge, stream: s.Camera, label: s.Label, state: t.Type,
		score: s.TopScore, at: int64(s.StartTime * 1000), until: until, heard: heard.UnixMilli(), frame: s.Frame, frames: s.Frames,
		box: asJSON(s.Box), picture: shotSlot(i.Edge, s.Camera, s.ID),
	})
}

// alert keeps what a person wants to know now. An alert's data says more than is needed here, and
// may come from something else than a camera.
func (b *batch) alert(i event.Item, heard time.Time) error {
	var a struct {
		Camera  string     `json:"camera"`
		Label   string     `json:"label"`
		Track   string     `json:"track"`
		Message string     `json:"message"`
		Score   float32    `json:"score"`
		Box     [4]float32 `json:"box"`
		Frame   int        `json:"frame"`
		limitAlert
	}
	if err := json.Unmarshal(i.Data, &a); err != nil {
		return unreadable(fmt.Errorf("alert: %w", err))
	}
	r := row{id: "alert/" + i.ID.String(), kind: string(event.Alert), edge: i.Edge, stream: i.Stream, label: a.Label, state: event.TrackNew,
		score: a.Score, at: i.Time.UnixMilli(), heard: heard.UnixMilli(), frame: a.Frame, box: asJSON(a.Box)}
	if r.label == "" {
		r.label = a.Message
	}
	if r.label == "" && slices.Contains(sides, a.Side) {
		r.label = a.limitAlert.label()
		if err := b.limit(i, a.limitAlert, heard); err != nil {
			return err
		}
		if a.State == "end" {
			if closed, err := b.endAlert(i, r.label, heard); closed || err != nil {
				return err
			}
			r.state, r.until = event.TrackEnd, r.at
		}
	}
	if a.Track != "" {
		r.picture = shotSlot(i.Edge, i.Stream, a.Track)
	}
	return b.event(r)
}

// row is one of the table events.
type row struct {
	id, kind, edge, stream, label, state string
	score                                float32
	at, until, heard                     int64
	frame, frames                        int
	box, picture                         string
}

func (b *batch) event(r row) error {
	r.stream, r.label = text.Cut(r.stream, text.MaxName), text.Cut(r.label, text.MaxName)
	result, err := b.tx.Exec(`UPDATE events SET state = CASE WHEN state = 'end' THEN state ELSE ? END, score = max(score, ?), until = max(until, ?),
		heard = ?, frame = ?, frames = ?, box = ? WHERE id = ?`, r.state, r.score, r.until, r.heard, r.frame, r.frames, r.box, r.id)
	if err != nil {
		return err
	}
	if known, _ := result.RowsAffected(); known == 0 {
		_, err := b.tx.Exec(`INSERT INTO events (id, kind, edge, stream, label, state, score, at, until, heard, frame, frames, box, picture)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.id, r.kind, r.edge, r.stream, r.label, r.state, r.score, r.at, r.until, r.heard, r.frame, r.frames, r.box, r.picture)
		if err != nil {
			return err
		}
		if _, err := b.tx.Exec("INSERT INTO labels VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1", r.label); err != nil {
			return err
		}
	}
	b.about(AboutEvent, r.edge, r.stream)
	return nil
}
