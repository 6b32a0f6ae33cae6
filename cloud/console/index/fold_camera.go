package index

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// picture keeps a camera's latest frame, or a scene's quicklook.
func (b *batch) picture(i event.Item, heard time.Time) error {
	if i.Attrs.Scene != "" {
		b.about(AboutScene, i.Edge, i.Attrs.Scene)
		return b.keepPicture(QuicklookSlot(i.Edge, i.Attrs.Scene), i, -1)
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
		i.Edge, text.Cut(i.Stream, text.MaxName), heard.UnixMilli())
	if err != nil {
		return err
	}
	b.about(AboutCamera, i.Edge, i.Stream)
	return b.keepPicture(FrameSlot(i.Edge, i.Stream), i, frame)
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
	b.about(AboutEvent, i.Edge, camera)
	return err
}

func cutLast(subject string) (head, tail string, ok bool) {
	at := strings.LastIndexByte(subject, '/')
	if at < 1 || at == len(subject)-1 {
		return "", "", false
	}
	return subject[:at], subject[at+1:], true
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
	camera := text.Cut(d.Camera, text.MaxName)
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
		i.Edge, camera, text.Cut(d.Model, text.MaxName), d.Width, d.Height, len(d.Frames), boxes, rate, last, heard.UnixMilli(), d.End)
	if err != nil {
		return err
	}
	b.about(AboutCamera, i.Edge, camera)
	if _, err = b.tx.Exec("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)", i.Edge, camera, d.First, d.Last, i.Data); err != nil {
		return err
	}
	_, err = b.tx.Exec(`DELETE FROM batches WHERE edge = ?1 AND camera = ?2 AND first <=
		(SELECT first FROM batches WHERE edge = ?1 AND camera = ?2 ORDER BY first DESC LIMIT 1 OFFSET ?3)`, i.Edge, camera, keptBatches)
	return err
}
