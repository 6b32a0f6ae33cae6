package console

import (
	"fmt"

	"github.com/oklog/ulid/v2"
)

// seenSchema is made in an index of an earlier program too.
const seenSchema = `CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE)`

// keptSeen is how many results are known again. Those that are there twice were written within seconds of
// each other: a worker died between its results and its offset.
const keptSeen = 100_000

// fresh says whether a result has not been counted yet, and notes that it is.
func (b *batch) fresh(id ulid.ULID) (bool, error) {
	added, err := b.tx.Exec("INSERT OR IGNORE INTO seen (id) VALUES (?)", id[:])
	if err != nil {
		return false, fmt.Errorf("note a result: %w", err)
	}
	n, err := added.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	last, err := added.LastInsertId()
	if err == nil && last%1000 == 0 {
		_, err = b.tx.Exec("DELETE FROM seen WHERE n <= ?", last-keptSeen)
	}
	return err == nil, err
}
