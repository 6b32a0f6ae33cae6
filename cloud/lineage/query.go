// Package lineage finds what became of one item, from what lies in Kafka, the object store and the
// coordinator: no service keeps a record of it.
//
//	canvas.events, canvas.work ─▶ it came       canvas.results ─▶ what was found, by whom
//	canvas.dlq ─────────────────▶ dead letter   canvas.products ▶ what it is part of
//	drop reports, manifests ────▶ not sent      owners, offsets ▶ which worker has it next
//
// Reading begins at the item's time, which its ULID holds, not at the beginning of the topics.
package lineage

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// Query names an item in one of three ways.
type Query struct {
	ID      ulid.ULID // of an item, a result or a product
	Edge    string    // with Epoch and Seq: its number on its edge
	Epoch   event.Epoch
	Seq     uint64
	Subject string // what it is about: scene/tile, camera/track, sensor
}

// ErrQuery says that a text names no item.
var ErrQuery = errors.New("this names no item: give its id (26 characters), EDGE/EPOCH/SEQ, or a subject such as SCENE/COLUMN_ROW")

// maxQuery bounds what is taken for a name.
const maxQuery = 1024

var (
	ulidShape = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$`)
	tileShape = regexp.MustCompile(`^[0-9]+_[0-9]+$`)
)

// Parse reads an item's name. EDGE/EPOCH/SEQ differs from a subject by its number at the end.
func Parse(text string) (q Query, err error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxQuery {
		return q, fmt.Errorf("%w (here are %d characters)", ErrQuery, len(text))
	}
	if ulidShape.MatchString(text) {
		if q.ID, err = ulid.ParseStrict(strings.ToUpper(text)); err != nil {
			return q, fmt.Errorf("%w: %.40q: %w", ErrQuery, text, err)
		}
		if q.ID.IsZero() {
			return q, fmt.Errorf("%w: no item has the id of zeros", ErrQuery)
		}
		return q, nil
	}
	if words := strings.Split(text, "/"); len(words) == 3 && event.CheckName(words[0]) == nil && event.Epoch(words[1]).Valid() {
		if seq, err := strconv.ParseUint(words[2], 10, 64); err == nil && seq > 0 {
			q.Edge, q.Epoch, q.Seq = words[0], event.Epoch(words[1]), seq
			return q, nil
		}
	}
	q.Subject = text
	return q, nil
}

func (q Query) String() string {
	switch {
	case !q.ID.IsZero():
		return q.ID.String()
	case q.Seq > 0:
		return fmt.Sprintf("%s/%s/%d", q.Edge, q.Epoch, q.Seq)
	}
	return q.Subject
}

// tile is the scene and the tile that a subject names, where it does.
func (q Query) tile() (scene, tile string, ok bool) {
	at := strings.LastIndexByte(q.Subject, '/')
	if at < 1 || !tileShape.MatchString(q.Subject[at+1:]) {
		return "", "", false
	}
	return q.Subject[:at], q.Subject[at+1:], true
}

// skew is how far the clock of an edge may be ahead of Kafka's before its items are looked for too late.
const skew = 10 * time.Minute

// from is when the item can have come at the earliest.
func (q Query) from(now time.Time, since time.Duration) time.Time {
	if since > 0 || q.ID.IsZero() {
		return now.Add(-since)
	}
	at := ulid.Time(q.ID.Time())
	if at.After(now) { // the edge's clock is ahead, who knows how far
		return now.Add(-DefaultSince)
	}
	return at.Add(-skew)
}

// spans are where the question is looked for, in this order. An id and a number name one item: the
// first place that has it ends the search.
func (q Query) spans(from time.Time) []span {
	at := func(topic, key string) span { return span{topic: topic, key: key, from: from} }
	switch {
	case !q.ID.IsZero(): // canvas.work has it, as a rule, where its id leads
		return []span{at(event.WorkTopic, q.ID.String()), at(event.EventsTopic, ""), at(event.ResultsTopic, ""), at(event.WorkTopic, ""),
			at(event.DLQTopic, ""), at(event.ProductsTopic, "")}
	case q.Seq > 0: // all events of an edge lie in one partition
		return []span{at(event.EventsTopic, q.Edge), at(event.WorkTopic, ""), at(event.ResultsTopic, ""), at(event.DLQTopic, "")}
	}
	return []span{at(event.EventsTopic, ""), at(event.WorkTopic, ""), at(event.ResultsTopic, ""), at(event.DLQTopic, "")}
}
