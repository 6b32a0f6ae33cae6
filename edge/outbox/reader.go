package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
)

// Reader reads a buffer without disturbing it: the agent may run meanwhile.
type Reader struct {
	db             *sql.DB
	segments       *segments
	edge           string
	checksumColumn string // of the rows; "0" in databases of earlier programs
	terms          terms
	DatabaseID     event.Epoch // of the database
	Epoch          event.Epoch // in which was committed last
	Stats          Stats
	Epochs         []event.EpochReport // that are known, the latest first
	Troubles       []event.Trouble     // that nobody has seen to yet
}

// OpenReader opens the buffer in dir. edge is the device's name, for the items that it gives.
func OpenReader(dir, edge string) (*Reader, error) {
	path := databasePath(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no buffer in %s: has the agent run with this configuration?", dir)
	}
	db, err := sql.Open("sqlite", durable.SQLiteURI(path)+"?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db, edge: edge, checksumColumn: "mark", Troubles: unseen(readTroubles(dir, time.Now())), segments: &segments{dir: (&Outbox{dir: dir}).segmentFolder(), files: map[uint64]*os.File{}}}
	s := &r.Stats
	err = db.QueryRow("SELECT epoch, committed, received, dropped, waiting, bytes FROM counts").Scan(&r.DatabaseID, &s.Committed, &s.Received, &s.Dropped, &s.Waiting, &s.Bytes)
	if err == nil {
		err = r.readEpochs()
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("read the buffer %s: %w", path, err)
	}
	return r, nil
}

// readEpochs reads the epochs, also of a database that an earlier program still writes.
func (r *Reader) readEpochs() error {
	var version int
	if err := r.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if r.Epoch = r.DatabaseID; version == oneFormat {
		r.checksumColumn = "0"
		r.terms = terms{{epoch: r.DatabaseID, first: 1, waiting: int64(r.Stats.Waiting)}}
	} else {
		var err error
		if r.terms, err = readTerms(r.db); err != nil {
			return err
		}
	}
	for n := len(r.terms) - 1; n >= 0; n-- {
		t := r.terms[n]
		r.Epochs = append(r.Epochs, event.EpochReport{Epoch: t.epoch, Through: r.terms.last(n, r.Stats.Committed) - (t.first - 1), Waiting: uint64(max(t.waiting, 0))})
	}
	if len(r.terms) > 0 {
		r.Epoch = r.terms[len(r.terms)-1].epoch
	}
	return nil
}

func (r *Reader) columns() string { return strings.Replace(itemColumns, "mark", r.checksumColumn, 1) }

// Number is the buffer's own number of an item that the cloud knows by its epoch and number in it.
func (r *Reader) Number(epoch event.Epoch, seq uint64) (uint64, bool) {
	n := r.terms.find(epoch)
	if n < 0 {
		return 0, false
	}
	return r.terms.number(n, seq, r.Stats.Committed)
}

// Close closes the reader.
func (r *Reader) Close() error { return errors.Join(r.segments.close(), r.db.Close()) }

// Listed is an item that waits.
type Listed struct {
	Number    uint64         `json:"number"` // the buffer's own
	Epoch     event.Epoch    `json:"epoch"`
	Seq       uint64         `json:"seq"` // in the epoch
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
		if err := rows.Scan(&l.Number, &l.Kind, &l.Stream, &l.Subject, &l.Priority, &l.Rung, &l.Value, &l.Bytes, &committed, &expires); err != nil {
			return nil, err
		}
		l.Epoch, l.Seq = r.terms.place(l.Number)
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
	event.Drop             // its number is that in the epoch
	Number     uint64      `json:"number,omitempty"` // the buffer's own
	Epoch      event.Epoch `json:"epoch"`
	Through    uint64      `json:"through,omitempty"` // of several in a row, the last
	At         time.Time   `json:"at"`
	Reported   bool        `json:"reported"`
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
		if err := rows.Scan(&d.Number, &d.Kind, &d.Stream, &d.Bytes, &d.Reason, &at, &d.Reported); err != nil {
			return nil, err
		}
		d.Epoch, d.Seq = r.terms.place(d.Number)
		d.At = time.Unix(0, at).UTC()
		all = append(all, d)
	}
	if err := rows.Err(); err != nil || r.checksumColumn == "0" {
		return all, err
	}
	lost, err := r.losses(ctx, most)
	all = append(all, lost...)
	slices.SortStableFunc(all, func(a, b Dropped) int { return b.At.Compare(a.At) })
	return all[:min(len(all), most)], err
}

// losses are numbers that were lost with a damaged database.
func (r *Reader) losses(ctx context.Context, most int) (all []Dropped, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT epoch, low, high, at, reported FROM losses ORDER BY at DESC LIMIT ?", most)
	if err != nil {
		return nil, fmt.Errorf("read what was lost: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		d := Dropped{Drop: event.Drop{Reason: ReasonCorrupt}}
		var at int64
		if err := rows.Scan(&d.Epoch, &d.Seq, &d.Through, &at, &d.Reported); err != nil {
			return nil, err
		}
		if d.Through == d.Seq {
			d.Through = 0
		}
		d.At = time.Unix(0, at).UTC()
		all = append(all, d)
	}
	return all, rows.Err()
}

// Item is one that waits, with its data; ErrGone where none waits under that number of the buffer's own.
func (r *Reader) Item(seq uint64) (event.Item, error) {
	found, err := scanItem(r.db.QueryRow(r.columns()+"WHERE i.seq=?", seq))
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
	i.Edge = r.edge
	i.Epoch, i.Seq = r.terms.place(found.own)
	if found.at.segment != 0 {
		var err error
		if i.Data, err = r.segments.read(found.at); err != nil {
			return i, fmt.Errorf("read item %d: %w", found.own, err)
		}
	}
	if event.Sum(i.Data) != i.SHA256 {
		return i, fmt.Errorf("item %d: its bytes are not those that were committed", found.own)
	}
	if !found.intact(i) {
		return i, fmt.Errorf("item %d: its row is not as it was committed", found.own)
	}
	return i, nil
}

// Each gives all that wait, in the order of their numbers; damaged is called for each that can't be read.
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

// Verify checks every page of the database and every payload, and gives what is wrong.
func (r *Reader) Verify(ctx context.Context, wrong func(what string)) (items int, err error) {
	if err := check(ctx, r.db, "integrity_check"); err != nil {
		wrong(err.Error())
	}
	if s := r.Stats; s.Committed != s.Received+s.Waiting+s.Dropped {
		wrong(fmt.Sprintf("committed %d is not received %d + waiting %d + dropped %d", s.Committed, s.Received, s.Waiting, s.Dropped))
	}
	err = r.Each(ctx, func(event.Item) error { items++; return nil }, func(_ uint64, err error) { wrong(err.Error()) })
	return items, err
}
