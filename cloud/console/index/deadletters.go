package index

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// DeadLetters are asked for dead letters. The table is called letters, as in the first program that made one.
type DeadLetters struct{ db *sql.DB }

// DeadLetter is a record or message that could not be worked on, kept with the reason.
type DeadLetter struct {
	Partition  int       `json:"partition"`
	Offset     int64     `json:"offset"`
	Heard      time.Time `json:"heard"`
	Topic      string    `json:"topic"`     // it came on
	Connector  string    `json:"connector"` // who wrote it
	Stage      string    `json:"stage"`
	Class      string    `json:"class"`
	Reason     string    `json:"reason"`
	Edge       string    `json:"edge"`
	Kind       string    `json:"kind"`
	Subject    string    `json:"subject"`
	Bytes      int       `json:"bytes"`
	Quarantine string    `json:"quarantine"` // the object with its bytes, where they are too many for a record

	Head []byte `json:"-"` // the first bytes, for a preview
}

const deadLetterColumns = "part, at, heard, topic, connector, stage, class, reason, edge, kind, subject, bytes, quarantine, head"

func (l *DeadLetter) fields() []any {
	return []any{&l.Partition, &l.Offset, stamp{&l.Heard}, &l.Topic, &l.Connector, &l.Stage, &l.Class, &l.Reason, &l.Edge, &l.Kind, &l.Subject, &l.Bytes, &l.Quarantine, &l.Head}
}

// Find lists dead letters, the latest first.
func (d DeadLetters) Find(ctx context.Context, limit, offset int) ([]DeadLetter, error) {
	return list(ctx, d.db, "dead letters", (*DeadLetter).fields, "SELECT "+deadLetterColumns+" FROM letters ORDER BY heard DESC, part, at DESC LIMIT ? OFFSET ?", limit, offset)
}

// One gives a dead letter, or ErrUnknown.
func (d DeadLetters) One(ctx context.Context, partition int, offset int64) (DeadLetter, error) {
	return one(ctx, d.db, fmt.Sprintf("dead letter %d of partition %d", offset, partition), (*DeadLetter).fields,
		"SELECT "+deadLetterColumns+" FROM letters WHERE part = ? AND at = ?", partition, offset)
}

// Count counts the dead letters that match.
func (d DeadLetters) Count(ctx context.Context, match func(DeadLetter) bool) (n int, err error) {
	rows, err := d.db.QueryContext(ctx, "SELECT part, at, heard FROM letters") // too many for a list
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l DeadLetter
		if err := rows.Scan(&l.Partition, &l.Offset, stamp{&l.Heard}); err != nil {
			return 0, err
		}
		if match(l) {
			n++
		}
	}
	return n, rows.Err()
}

// DeadLetterSource is how many dead letters an edge has made for one kind of reason.
type DeadLetterSource struct {
	Edge  string    `json:"edge"` // "" where that is not known
	Class string    `json:"class"`
	Count int       `json:"letters"`
	Last  time.Time `json:"last"`
}

// maxSources bounds the list of them.
const maxSources = 50

// Sources lists where dead letters come from, the worst first.
func (d DeadLetters) Sources(ctx context.Context) ([]DeadLetterSource, error) {
	return list(ctx, d.db, "dead letters by edge", func(s *DeadLetterSource) []any { return []any{&s.Edge, &s.Class, &s.Count, stamp{&s.Last}} },
		"SELECT edge, class, count(*) AS n, max(heard) FROM letters GROUP BY edge, class ORDER BY n DESC, edge, class LIMIT ?", maxSources)
}
