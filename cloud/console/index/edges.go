package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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
	Status  string    `json:"status"` // online, offline, or empty: it has not said
	Epoch   string    `json:"epoch"`
	Version string    `json:"version"`
	Since   time.Time `json:"since,omitzero"` // of the status
	Heard   time.Time `json:"heard,omitzero"` // the latest item reached Kafka

	Troubles []event.Trouble `json:"troubles,omitempty"` // what is wrong with its buffer, as it says
}

// All lists edges by name, with what they say is wrong with their buffers.
func (e Edges) All(ctx context.Context) ([]Edge, error) {
	rows, err := e.db.QueryContext(ctx, "SELECT edge, status, epoch, version, since, heard FROM edges ORDER BY edge LIMIT 10000")
	if err != nil {
		return nil, fmt.Errorf("look up edges: %w", err)
	}
	defer rows.Close()
	all := []Edge{}
	for rows.Next() {
		var one Edge
		var since, heard int64
		if err := rows.Scan(&one.Name, &one.Status, &one.Epoch, &one.Version, &since, &heard); err != nil {
			return nil, err
		}
		one.Since, one.Heard = instant(since), instant(heard)
		all = append(all, one)
	}
	return e.said.withTroubles(all), rows.Err()
}

// Drop is what an edge let go of for one reason.
type Drop struct {
	Edge   string    `json:"edge"`
	Kind   string    `json:"kind"`
	Stream string    `json:"stream"`
	Reason string    `json:"reason"`
	Count  int64     `json:"count"`
	Bytes  int64     `json:"bytes"`
	Last   time.Time `json:"last"`
}

// Drops lists what edges let go of, the latest first.
func (e Edges) Drops(ctx context.Context) ([]Drop, error) {
	rows, err := e.db.QueryContext(ctx, "SELECT edge, kind, stream, reason, count, bytes, last FROM drops ORDER BY last DESC LIMIT 500")
	if err != nil {
		return nil, fmt.Errorf("look up drops: %w", err)
	}
	defer rows.Close()
	all := []Drop{}
	for rows.Next() {
		var d Drop
		var last int64
		if err := rows.Scan(&d.Edge, &d.Kind, &d.Stream, &d.Reason, &d.Count, &d.Bytes, &last); err != nil {
			return nil, err
		}
		d.Last = instant(last)
		all = append(all, d)
	}
	return all, rows.Err()
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
	rows, err := e.db.QueryContext(ctx, "SELECT edge, link FROM edges WHERE link <> '' ORDER BY json_extract(link, '$.waiting') DESC, edge LIMIT ?", maxReports)
	if err != nil {
		return nil, fmt.Errorf("look up links: %w", err)
	}
	defer rows.Close()
	var all []EdgeLink
	for rows.Next() {
		var l EdgeLink
		var text string
		if err := rows.Scan(&l.Edge, &text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &l.LinkReport); err != nil {
			return nil, fmt.Errorf("the link of edge %s: %w", l.Edge, err)
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// Link is what an edge said of its link, or ErrUnknown.
func (e Edges) Link(ctx context.Context, edge string) (report event.LinkReport, err error) {
	var text string
	err = e.db.QueryRowContext(ctx, "SELECT link FROM edges WHERE edge = ? AND link <> ''", edge).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return report, fmt.Errorf("the link of edge %.80q is %w", edge, ErrUnknown)
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &report)
	}
	return report, err
}
