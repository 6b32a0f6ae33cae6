package console

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
)

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

func (x *index) edges(ctx context.Context) ([]Edge, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT edge, status, epoch, version, since, heard FROM edges ORDER BY edge LIMIT 10000")
	if err != nil {
		return nil, fmt.Errorf("look up edges: %w", err)
	}
	defer rows.Close()
	all := []Edge{}
	for rows.Next() {
		var e Edge
		var since, heard int64
		if err := rows.Scan(&e.Name, &e.Status, &e.Epoch, &e.Version, &since, &heard); err != nil {
			return nil, err
		}
		e.Since, e.Heard = instant(since), instant(heard)
		all = append(all, e)
	}
	return all, rows.Err()
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

func (x *index) drops(ctx context.Context) ([]Drop, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT edge, kind, stream, reason, count, bytes, last FROM drops ORDER BY last DESC LIMIT 500")
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

// Sensor is one number that a sensor tells again and again.
type Sensor struct {
	Edge  string    `json:"edge"`
	Name  string    `json:"name"`
	Key   string    `json:"key"` // "value" of a sensor that tells but one
	Last  float64   `json:"last"`
	Time  time.Time `json:"time"`
	Heard time.Time `json:"heard"`
	Count int64     `json:"count"`
}

func (x *index) sensors(ctx context.Context, limit int) ([]Sensor, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT edge, name, key, last, at, heard, count FROM sensors ORDER BY edge, name, key LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("look up sensors: %w", err)
	}
	defer rows.Close()
	all := []Sensor{}
	for rows.Next() {
		var s Sensor
		var at, heard int64
		if err := rows.Scan(&s.Edge, &s.Name, &s.Key, &s.Last, &at, &heard, &s.Count); err != nil {
			return nil, err
		}
		s.Time, s.Heard = instant(at), instant(heard)
		all = append(all, s)
	}
	return all, rows.Err()
}

// Point is some readings of a sensor, folded into one: as many as fell into its part of the time.
type Point struct {
	Time time.Time `json:"time"`
	Mean float64   `json:"mean"`
	Low  float64   `json:"low"`
	High float64   `json:"high"`
}

// points is how many a plot is folded into.
const points = 240

// readings folds a sensor's numbers from a time on into at most points.
func (x *index) readings(ctx context.Context, edge, sensor, key string, from, to time.Time) ([]Point, error) {
	step := max(to.Sub(from).Milliseconds()/points, 1)
	rows, err := x.read.QueryContext(ctx, `SELECT min(at), avg(value), min(value), max(value) FROM readings
		WHERE edge = ? AND sensor = ? AND key = ? AND at BETWEEN ? AND ? GROUP BY at / ? ORDER BY 1 LIMIT ?`,
		edge, sensor, key, from.UnixMilli(), to.UnixMilli(), step, 2*points)
	if err != nil {
		return nil, fmt.Errorf("look up readings: %w", err)
	}
	defer rows.Close()
	all := []Point{}
	for rows.Next() {
		var p Point
		var at int64
		if err := rows.Scan(&at, &p.Mean, &p.Low, &p.High); err != nil {
			return nil, err
		}
		p.Time = instant(at)
		all = append(all, p)
	}
	return all, rows.Err()
}

// Letter is a dead letter: something that could not be worked on, set aside with its reason.
type Letter struct {
	Partition  int       `json:"partition"`
	Offset     int64     `json:"offset"`
	Heard      time.Time `json:"heard"`
	Topic      string    `json:"topic"`     // it came on
	Connector  string    `json:"connector"` // who set it aside
	Stage      string    `json:"stage"`
	Class      string    `json:"class"`
	Reason     string    `json:"reason"`
	Edge       string    `json:"edge"`
	Kind       string    `json:"kind"`
	Subject    string    `json:"subject"`
	Bytes      int       `json:"bytes"`
	Quarantine string    `json:"quarantine"` // the object with its bytes, where they are too many for a record
	Handled    *Act      `json:"handled"`    // what an operator did with it

	head []byte
}

// Path is where the letter's page lies.
func (l Letter) Path() string { return fmt.Sprintf("/letters/%d/%d", l.Partition, l.Offset) }

const letterColumns = "part, at, heard, topic, connector, stage, class, reason, edge, kind, subject, bytes, quarantine, head"

func scanLetter(scan func(...any) error) (Letter, error) {
	var l Letter
	var heard int64
	err := scan(&l.Partition, &l.Offset, &heard, &l.Topic, &l.Connector, &l.Stage, &l.Class, &l.Reason, &l.Edge, &l.Kind, &l.Subject, &l.Bytes, &l.Quarantine, &l.head)
	l.Heard = instant(heard)
	return l, err
}

func (x *index) letters(ctx context.Context, limit, offset int) ([]Letter, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT "+letterColumns+" FROM letters ORDER BY heard DESC, part, at DESC LIMIT ? OFFSET ?", limit, offset)
	if err != nil {
		return nil, fmt.Errorf("look up dead letters: %w", err)
	}
	defer rows.Close()
	all := []Letter{}
	for rows.Next() {
		l, err := scanLetter(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

func (x *index) letter(ctx context.Context, partition int, offset int64) (Letter, error) {
	l, err := scanLetter(x.read.QueryRowContext(ctx, "SELECT "+letterColumns+" FROM letters WHERE part = ? AND at = ?", partition, offset).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("dead letter %d of partition %d is %w", offset, partition, errUnknown)
	}
	return l, err
}

// openLetters counts the letters that nobody has decided about.
func (x *index) openLetters(ctx context.Context, a *audit) (n int, err error) {
	rows, err := x.read.QueryContext(ctx, "SELECT part, at, heard FROM letters")
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l Letter
		var heard int64
		if err := rows.Scan(&l.Partition, &l.Offset, &heard); err != nil {
			return 0, err
		}
		if l.Heard = instant(heard); a.of(l.name()) == nil {
			n++
		}
	}
	return n, rows.Err()
}

// behind is how many records of the followed topics the index has not taken in yet.
func (x *index) behind(ctx context.Context, log Log) (n int64, err error) {
	for _, topic := range followed {
		ranges, err := log.Offsets(ctx, topic)
		if err != nil {
			return n, err
		}
		for p, r := range ranges {
			next, err := x.next(ctx, topic, p)
			if err != nil {
				return n, err
			}
			n += max(r.End-max(next, r.First), 0)
		}
	}
	return n, nil
}
