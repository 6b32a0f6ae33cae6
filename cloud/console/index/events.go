package index

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"cloudcanvas/shared/event"
)

// Events are asked for alerts and tracks.
type Events struct{ db *sql.DB }

// Event is an alert, or a track from its first frame to its last.
type Event struct {
	Number  int64      `json:"number"` // grows with the order of arrival
	ID      string     `json:"id"`
	Kind    string     `json:"kind"` // alert or track
	Edge    string     `json:"edge"`
	Stream  string     `json:"stream"` // the camera or sensor
	Label   string     `json:"label"`
	State   string     `json:"state"` // new, update, end
	Score   float64    `json:"score"`
	Time    time.Time  `json:"time"`
	Until   time.Time  `json:"until,omitzero"`
	Heard   time.Time  `json:"heard"`
	Frame   int        `json:"frame"`
	Frames  int        `json:"frames"`
	Box     [4]float32 `json:"box"`
	Picture bool       `json:"picture"` // there is a snapshot

	Source string `json:"-"` // the stream, with its edge where others have one of the name
}

// Lasted is how long a track lived, or nothing while it lives.
func (e Event) Lasted() time.Duration {
	if e.Until.IsZero() {
		return 0
	}
	return e.Until.Sub(e.Time)
}

// Limited says whether the event is an alert about a sensor's limit.
func (e Event) Limited() bool {
	_, limit := LimitValue(e.Label)
	return limit && e.Kind == string(event.Alert)
}

// EventQuery chooses events. Zero fields choose all.
type EventQuery struct {
	Edge, Stream, Label, Kind string
	From, To                  time.Time
	Before                    int64 // only numbers below, for paging
	Limit                     int
}

// Find lists what q chooses, the latest to arrive first.
func (e Events) Find(ctx context.Context, q EventQuery) ([]Event, error) {
	terms, args := []string{"1"}, []any{}
	add := func(term string, value any) { terms, args = append(terms, term), append(args, value) }
	for _, f := range []struct{ column, value string }{{"v.edge", q.Edge}, {"v.stream", q.Stream}, {"v.label", q.Label}, {"v.kind", q.Kind}} {
		if f.value != "" {
			add(f.column+" = ?", f.value)
		}
	}
	order := "v.n DESC"
	if !q.From.IsZero() || !q.To.IsZero() || q.Edge != "" || q.Label != "" || q.Kind != "" {
		order = "v.at DESC, v.n DESC" // as the indexes have it
	}
	if !q.From.IsZero() {
		add("v.at >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		add("v.at <= ?", q.To.UnixMilli())
	}
	if q.Before > 0 {
		if order == "v.n DESC" {
			add("v.n < ?", q.Before)
		} else {
			add("(v.at, v.n) < (SELECT at, n FROM events WHERE n = ?)", q.Before)
		}
	}
	return list(ctx, e.db, "events", func(e *Event) []any {
		return []any{&e.Number, &e.ID, &e.Kind, &e.Edge, &e.Stream, &e.Label, &e.State, &e.Score, stamp{&e.Time}, stamp{&e.Until}, stamp{&e.Heard}, &e.Frame, &e.Frames, parsed{&e.Box}, &e.Picture}
	}, `SELECT v.n, v.id, v.kind, v.edge, v.stream, v.label, v.state, v.score, v.at, v.until, v.heard, v.frame, v.frames, v.box,
		p.n IS NOT NULL FROM events v LEFT JOIN pictures p ON p.slot = v.picture WHERE `+strings.Join(terms, " AND ")+" ORDER BY "+order+" LIMIT ?", append(args, q.Limit)...)
}

// Picture is the slot of an event's snapshot, or ErrUnknown.
func (e Events) Picture(ctx context.Context, number int64) (slot string, err error) {
	return one(ctx, e.db, "the event's snapshot", itself[string], "SELECT picture FROM events WHERE n = ? AND picture <> ''", number)
}

// Labels are those that events bear, the most frequent first.
func (e Events) Labels(ctx context.Context) ([]string, error) {
	return list(ctx, e.db, "labels", itself[string], "SELECT label FROM labels ORDER BY count DESC, label LIMIT 100")
}

// AlertsSince counts alerts by Kafka's time, which no edge's clock sets.
func (e Events) AlertsSince(ctx context.Context, from time.Time) (n int, err error) {
	err = e.db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM events WHERE kind = 'alert' AND heard >= ? LIMIT 10000)", from.UnixMilli()).Scan(&n)
	return n, err
}
