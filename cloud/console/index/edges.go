package index

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
)

// Edges are asked for devices.
type Edges struct {
	db   *sql.DB
	said *statuses
}

// Edge is a device as the cloud knows it.
type Edge struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"` // online, offline, or empty: not known
	Epoch   string    `json:"epoch"`
	Version string    `json:"version"`
	Since   time.Time `json:"since,omitzero"` // of the status
	Heard   time.Time `json:"heard,omitzero"` // the latest item reached Kafka

	Troubles []event.Trouble `json:"troubles,omitempty"` // what is wrong with its buffer, as it says
}

// All lists edges by name, with what they say is wrong with their buffers.
func (e Edges) All(ctx context.Context) ([]Edge, error) {
	all, err := list(ctx, e.db, "edges", func(e *Edge) []any {
		return []any{&e.Name, &e.Status, &e.Epoch, &e.Version, stamp{&e.Since}, stamp{&e.Heard}}
	}, "SELECT edge, status, epoch, version, since, heard FROM edges ORDER BY edge LIMIT 10000")
	return e.said.withTroubles(all), err
}

// Drop is what an edge dropped for one reason.
type Drop struct {
	Edge   string    `json:"edge"`
	Kind   string    `json:"kind"`
	Stream string    `json:"stream"`
	Reason string    `json:"reason"`
	Count  int64     `json:"count"`
	Bytes  int64     `json:"bytes"`
	Last   time.Time `json:"last"`
}

// Drops lists what edges dropped, the latest first.
func (e Edges) Drops(ctx context.Context) ([]Drop, error) {
	return list(ctx, e.db, "drops", func(d *Drop) []any {
		return []any{&d.Edge, &d.Kind, &d.Stream, &d.Reason, &d.Count, &d.Bytes, stamp{&d.Last}}
	}, "SELECT edge, kind, stream, reason, count, bytes, last FROM drops ORDER BY last DESC LIMIT 500")
}

// maxReports bounds the edges whose links a page shows; the API gives any.
const maxReports = 50

// EdgeLink is what an edge said of its link.
type EdgeLink struct {
	Edge string
	event.LinkReport
}

// Links are the latest reports, of edges with the most waiting first.
func (e Edges) Links(ctx context.Context) ([]EdgeLink, error) {
	return list(ctx, e.db, "links", func(l *EdgeLink) []any { return []any{&l.Edge, parsed{&l.LinkReport}} },
		"SELECT edge, link FROM edges WHERE link <> '' ORDER BY json_extract(link, '$.waiting') DESC, edge LIMIT ?", maxReports)
}

// Link is what an edge said of its link, or ErrUnknown.
func (e Edges) Link(ctx context.Context, edge string) (event.LinkReport, error) {
	return one(ctx, e.db, fmt.Sprintf("the link of edge %.80q", edge), func(r *event.LinkReport) []any { return []any{parsed{r}} },
		"SELECT link FROM edges WHERE edge = ? AND link <> ''", edge)
}
