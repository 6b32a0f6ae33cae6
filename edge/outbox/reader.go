package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"cloudcanvas/shared/event"
)

// Reader looks into a buffer without disturbing it: the agent may run meanwhile.
type Reader struct {
	db       *sql.DB
	segments *segments
	edge     string
	Epoch    event.Epoch
	Stats    Stats
}

// OpenReader looks at the buffer in dir. edge is the device's name, for the items that it gives.
func OpenReader(dir, edge string) (*Reader, error) {
	path := databasePath(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no buffer in %s: has the agent run with this configuration?", dir)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db, edge: edge, segments: &segments{dir: (&Outbox{dir: dir}).segmentFolder(), files: map[uint64]*os.File{}}}
	s := &r.Stats
	err = db.QueryRow("SELECT epoch, committed, received, dropped, waiting, bytes FROM counts").Scan(&r.Epoch, &s.Committed, &s.Received, &s.Dropped, &s.Waiting, &s.Bytes)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("look into the buffer %s: %w", path, err)
	}
	return r, nil
}

// Close ends the look.
func (r *Reader) Close() error { return errors.Join(r.segments.close(), r.db.Close()) }

// Listed is an item that waits.
type Listed struct {
	Seq       uint64         `json:"seq"`
	Kind      event.Kind     `json:"kind"`
	Stream    string         `json:"stream"`
	Subject   string         `json:"subject"`
	Priority  event.Priority `json:"priority"`
	Rung      event.Rung     `json:"rung"`
	Value     float64        `json:"value"`
	Bytes     int64          `json:"bytes"`
	Committed time.Time      `json:"committed"`
	Expires   *time.Time     `json:"expires,omitempty"`
}

// List gives up to so many of what waits, what goes first before the rest; of one stream where that
// is named.
func (r *Reader) List(ctx context.Context, stream string, most int) ([]Listed, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT seq, kind, stream, subject, priority, rung, value, bytes, committed, expires FROM items
		WHERE ?='' OR stream=? ORDER BY priority, cheap LIMIT ?`, stream, stream, most)
	if err != nil {
		return nil, fmt.Errorf("list what waits: %w", err)
	}
	defer rows.Close()
	all := []Listed{}
	for rows.Next() {
		var l Listed
		var committed, expires int64
		if err := rows.Scan(&l.Seq, &l.Kind, &l.Stream, &l.Subject, &l.Priority, &l.Rung, &l.Value, &l.Bytes, &committed, &expires); err != nil {
			return nil, err
		}
		l.Committed = time.Unix(0, committed).UTC()
		if expires > 0 {
			at := time.Unix(0, expires).UTC()
			l.Expires = &at
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// Dropped is an entry of the ledger.
type Dropped struct {
	event.Drop
	At       time.Time `json:"at"`
	Reported bool      `json:"reported"`
}

// Drops gives up to so many of the ledger, the newest first.
func (r *Reader) Drops(ctx context.Context, most int) ([]Dropped, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT seq, kind, stream, bytes, reason, at, reported FROM ledger ORDER BY at DESC, seq DESC LIMIT ?", most)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close()
	all := []Dropped{}
	for rows.Next() {
		var d Dropped
		var at int64
		if err := rows.Scan(&d.Seq, &d.Kind, &d.Stream, &d.Bytes, &d.Reason, &at, &d.Reported); err != nil {
			return nil, err
		}
		d.At = time.Unix(0, at).UTC()
		all = append(all, d)
	}
	return all, rows.Err()
}

// Item is one that waits, with its data; ErrGone where none waits under that number.
func (r *Reader) Item(seq uint64) (event.Item, error) {
	found, err := scanItem(r.db.QueryRow(itemColumns+"WHERE i.seq=?", seq))
	if errors.Is(err, sql.ErrNoRows) {
		return event.Item{}, fmt.Errorf("item %d: %w", seq, ErrGone)
	}
	if err != nil {
		return event.Item{}, fmt.Errorf("read item %d: %w", seq, err)
	}
	return r.whole(found)
}

func (r *Reader) whole(found stored) (event.Item, error) {
	i := found.Item
	i.Edge, i.Epoch = r.edge, r.Epoch
	if found.at.segment != 0 {
		var err error
		if i.Data, err = r.segments.read(found.at); err != nil {
			return i, fmt.Errorf("read item %d: %w", i.Seq, err)
		}
	}
	if event.Sum(i.Data) != i.SHA256 {
		return i, fmt.Errorf("item %d: its bytes are not those that were committed", i.Seq)
	}
	return i, nil
}

// Each gives all that wait, in the order of their numbers; damaged hears of each that can't be read.
func (r *Reader) Each(ctx context.Context, give func(event.Item) error, damaged func(seq uint64, err error)) error {
	for last := uint64(0); ; {
		var seq uint64
		err := r.db.QueryRowContext(ctx, "SELECT seq FROM items WHERE seq>? ORDER BY seq LIMIT 1", last).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("go through the buffer: %w", err)
		}
		last = seq
		i, err := r.Item(seq)
		switch {
		case errors.Is(err, ErrGone): // received meanwhile
		case err != nil:
			damaged(seq, err)
		default:
			if err := give(i); err != nil {
				return err
			}
		}
	}
}

// Verify looks at every page of the database and at every payload, and gives what is wrong.
func (r *Reader) Verify(ctx context.Context, wrong func(what string)) (items int, err error) {
	if err := check(ctx, r.db); err != nil {
		wrong(err.Error())
	}
	if s := r.Stats; s.Committed != s.Received+s.Waiting+s.Dropped {
		wrong(fmt.Sprintf("committed %d is not received %d + waiting %d + dropped %d", s.Committed, s.Received, s.Waiting, s.Dropped))
	}
	err = r.Each(ctx, func(event.Item) error { items++; return nil }, func(_ uint64, err error) { wrong(err.Error()) })
	return items, err
}
