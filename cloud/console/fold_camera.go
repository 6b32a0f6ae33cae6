package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/shared/event"
)

// Where pictures lie in the index: one of each for every camera, scene or track.
func frameSlot(edge, camera string) string       { return slot("frame", edge, camera) }
func lookSlot(edge, scene string) string         { return slot("look", edge, scene) }
func shotSlot(edge, camera, track string) string { return slot("shot", edge, camera+"/"+track) }

func slot(kind, edge, name string) string { return kind + "/" + edge + "/" + cut(name, maxName) }

// maxPicture bounds one picture; larger ones are passed over.
const maxPicture = 16 << 20

// picture keeps a camera's latest frame, or a scene's quicklook.
func (b *batch) picture(i event.Item, heard time.Time) error {
	if i.Attrs.Scene != "" {
		b.about(aboutScene, i.Edge, i.Attrs.Scene)
		return b.keepPicture(lookSlot(i.Edge, i.Attrs.Scene), i, -1)
	}
	if i.Attrs.Want != "" {
		return nil // work for a model, not for people
	}
	frame := -1
	if _, number, ok := strings.Cut(i.Subject, "/frame-"); ok {
		if n, err := strconv.Atoi(number); err == nil && n >= 0 {
			frame = n
		}
	}
	_, err := b.tx.Exec("INSERT INTO cameras (edge, name, heard) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET heard = max(heard, excluded.heard)",
		i.Edge, cut(i.Stream, maxName), heard.UnixMilli())
	if err != nil {
		return err
	}
	b.about(aboutCamera, i.Edge, i.Stream)
	return b.keepPicture(frameSlot(i.Edge, i.Stream), i, frame)
}

// snapshot keeps the best view of a track.
func (b *batch) snapshot(i event.Item) error {
	if i.Attrs.Want != "" {
		return nil
	}
	camera, track, ok := cutLast(i.Subject)
	if !ok {
		return unreadable(fmt.Errorf("a snapshot of %.80q, which is no track", i.Subject))
	}
	at := shotSlot(i.Edge, camera, track)
	if err := b.keepPicture(at, i, -1); err != nil {
		return err
	}
	_, err := b.tx.Exec("UPDATE events SET picture = ? WHERE id = ?", at, trackID(i.Edge, camera, track))
	b.about(aboutEvent, i.Edge, camera)
	return err
}

func cutLast(subject string) (head, tail string, ok bool) {
	at := strings.LastIndexByte(subject, '/')
	if at < 1 || at == len(subject)-1 {
		return "", "", false
	}
	return subject[:at], subject[at+1:], true
}

// keepPicture puts a JPEG or PNG into its slot. Other media are never shown: a browser must not
// be handed what an edge calls a picture.
func (b *batch) keepPicture(at string, i event.Item, frame int) error {
	if i.Type != "image/jpeg" && i.Type != "image/png" || len(i.Data) == 0 || len(i.Data) > maxPicture {
		return unreadable(fmt.Errorf("a picture of type %.40q with %d bytes", i.Type, len(i.Data)))
	}
	b.pictured = true
	// A new row each time, so that the oldest picture has the lowest number.
	if _, err := b.tx.Exec("DELETE FROM pictures WHERE slot = ?", at); err != nil {
		return err
	}
	_, err := b.tx.Exec("INSERT INTO pictures (slot, at, frame, media, bytes, data) VALUES (?, ?, ?, ?, ?, ?)",
		at, i.Time.UnixMilli(), frame, i.Type, len(i.Data), i.Data)
	return err
}

// keptBatches of detections are looked up for the boxes of a camera's latest frame.
const keptBatches = 32

// detections notes how a camera is doing and keeps its latest boxes.
func (b *batch) detections(i event.Item, heard time.Time) error {
	d, err := event.ParseDetections(i)
	if err != nil {
		return unreadable(err)
	}
	if len(d.Frames) == 0 && !d.End {
		return nil
	}
	camera := cut(d.Camera, maxName)
	boxes, rate, last := 0, 0.0, int64(0)
	for _, f := range d.Frames {
		boxes += len(f.Boxes)
		last = max(last, f.Time.UnixMilli())
	}
	if n := len(d.Frames); n > 1 {
		if took := d.Frames[n-1].Time.Sub(d.Frames[0].Time).Seconds(); took > 0 {
			rate = float64(n-1) / took
		}
	}
	_, err = b.tx.Exec(`INSERT INTO cameras (edge, name, model, width, height, frames, detections, rate, last_frame, heard, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET model = excluded.model, width = excluded.width, height = excluded.height, frames = frames + excluded.frames,
		detections = detections + excluded.detections, rate = CASE WHEN excluded.rate > 0 THEN excluded.rate ELSE rate END,
		last_frame = max(last_frame, excluded.last_frame), heard = max(heard, excluded.heard), ended = excluded.ended`,
		i.Edge, camera, cut(d.Model, maxName), d.Width, d.Height, len(d.Frames), boxes, rate, last, heard.UnixMilli(), d.End)
	if err != nil {
		return err
	}
	b.about(aboutCamera, i.Edge, camera)
	if _, err = b.tx.Exec("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)", i.Edge, camera, d.First, d.Last, i.Data); err != nil {
		return err
	}
	_, err = b.tx.Exec(`DELETE FROM batches WHERE edge = ?1 AND camera = ?2 AND first <=
		(SELECT first FROM batches WHERE edge = ?1 AND camera = ?2 ORDER BY first DESC LIMIT 1 OFFSET ?3)`, i.Edge, camera, keptBatches)
	return err
}

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
	r.stream, r.label = cut(r.stream, maxName), cut(r.label, maxName)
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
	b.about(aboutEvent, r.edge, r.stream)
	return nil
}

// reading keeps a sensor's numbers.
func (b *batch) reading(i event.Item, heard time.Time) error {
	var r event.ReadingData
	if err := json.Unmarshal(i.Data, &r); err != nil {
		return unreadable(fmt.Errorf("reading: %w", err))
	}
	sensor := cut(r.Sensor, maxName)
	if sensor == "" {
		sensor = cut(i.Stream, maxName)
	}
	at := i.Time.UnixMilli()
	for key, value := range r.Values {
		key = cut(key, maxName)
		if _, err := b.tx.Exec("INSERT INTO readings (edge, sensor, key, at, value) VALUES (?, ?, ?, ?, ?)", i.Edge, sensor, key, at, value); err != nil {
			return err
		}
		_, err := b.tx.Exec(`INSERT INTO sensors VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1,
			last = CASE WHEN excluded.at >= at THEN excluded.last ELSE last END, at = max(at, excluded.at), heard = excluded.heard`,
			i.Edge, sensor, key, value, at, heard.UnixMilli())
		if err != nil {
			return err
		}
	}
	b.about(aboutSensor, i.Edge, sensor)
	return nil
}
