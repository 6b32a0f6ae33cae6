package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// Pictures are asked for what edges have sent to be looked at.
type Pictures struct{ db *sql.DB }

// Where pictures lie in the index: one of each for every camera, scene or track.
func FrameSlot(edge, camera string) string       { return slot("frame", edge, camera) }
func QuicklookSlot(edge, scene string) string    { return slot("look", edge, scene) }
func shotSlot(edge, camera, track string) string { return slot("shot", edge, camera+"/"+track) }

func slot(kind, edge, name string) string {
	return kind + "/" + edge + "/" + text.Cut(name, text.MaxName)
}

// Picture is a JPEG or PNG as it came.
type Picture struct {
	At    time.Time
	Frame int // its number, -1 where it has none
	Media string
	Data  []byte
}

// Get gives what lies in a slot, or ErrUnknown.
func (p Pictures) Get(ctx context.Context, slot string) (Picture, error) {
	return one(ctx, p.db, "the picture", func(p *Picture) []any { return []any{stamp{&p.At}, &p.Frame, &p.Media, &p.Data} },
		"SELECT at, frame, media, data FROM pictures WHERE slot = ?", slot)
}

// Taken says when the picture in a slot was taken, and which frame it is; zero where there is none.
func (p Pictures) Taken(ctx context.Context, slot string) (at time.Time, frame int, err error) {
	err = p.db.QueryRowContext(ctx, "SELECT at, frame FROM pictures WHERE slot = ?", slot).Scan(stamp{&at}, &frame)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, -1, nil
	}
	return at, frame, err
}

// FrameTimes is when each camera's latest frame was taken, by its slot.
func (p Pictures) FrameTimes(ctx context.Context) (map[string]time.Time, error) {
	frames, err := list(ctx, p.db, "frames", func(f *frameTime) []any { return []any{&f.slot, stamp{&f.at}} },
		"SELECT slot, at FROM pictures WHERE slot >= 'frame/' AND slot < 'frame0' LIMIT ?", maxCameras)
	all := map[string]time.Time{}
	for _, f := range frames {
		all[f.slot] = f.at
	}
	return all, err
}

type frameTime struct {
	slot string
	at   time.Time
}

// maxPicture bounds one picture; larger ones are passed over.
const maxPicture = 16 << 20

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
