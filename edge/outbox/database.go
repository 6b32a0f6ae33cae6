package outbox

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/oklog/ulid/v2"
	_ "modernc.org/sqlite" // the driver

	"cloudcanvas/shared/event"
)

// One writer, WAL and synchronous=FULL: what a transaction commits survives a power cut.
const dsn = "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"

const schema = `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
	seq INTEGER PRIMARY KEY, id BLOB NOT NULL, kind TEXT NOT NULL, stream TEXT NOT NULL, subject TEXT NOT NULL,
	time INTEGER NOT NULL, priority INTEGER NOT NULL, value REAL NOT NULL, attrs TEXT NOT NULL, type TEXT NOT NULL,
	sha256 BLOB NOT NULL, bytes INTEGER NOT NULL, committed INTEGER NOT NULL, expires INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS payloads (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
	seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, stream TEXT NOT NULL, bytes INTEGER NOT NULL,
	reason TEXT NOT NULL, at INTEGER NOT NULL, reported INTEGER NOT NULL DEFAULT 0);`

var errCorrupt = errors.New("the database is corrupt")

func openDatabase(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4) // the owner writes, others read payloads beside it
	var verdict string
	if err := db.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil || verdict != "ok" {
		db.Close()
		return nil, fmt.Errorf("%w: %s %v", errCorrupt, verdict, err)
	}
	if _, err := db.Exec(schema); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func moveAside(path, aside string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func entropy() *ulid.MonotonicEntropy { return ulid.Monotonic(rand.Reader, 0) }

// statements are those of every item, prepared once.
type statements struct{ item, payload, key, byKey *sql.Stmt }

func prepare(db *sql.DB) (s statements, err error) {
	for _, p := range []struct {
		into *(*sql.Stmt)
		text string
	}{
		{&s.item, "INSERT INTO items VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"}, {&s.payload, "INSERT INTO payloads VALUES (?,?)"},
		{&s.key, "INSERT INTO keys VALUES (?,?)"}, {&s.byKey, "SELECT seq FROM keys WHERE key=?"},
	} {
		if *p.into, err = db.Prepare(p.text); err != nil {
			return s, err
		}
	}
	return s, nil
}

// load reads the epoch, the counts and what waits; a new database gets its epoch here.
func (o *Outbox) load() error {
	err := o.db.QueryRow("SELECT value FROM meta WHERE name='epoch'").Scan(&o.epoch)
	if errors.Is(err, sql.ErrNoRows) {
		o.epoch = event.NewEpoch()
		_, err = o.db.Exec("INSERT INTO meta VALUES ('epoch', ?), ('committed', '0'), ('received', '0')", string(o.epoch))
	}
	if err != nil {
		return err
	}
	for name, into := range map[string]*uint64{"committed": &o.stats.Committed, "received": &o.stats.Received} {
		if err := o.db.QueryRow("SELECT CAST(value AS INTEGER) FROM meta WHERE name=?", name).Scan(into); err != nil {
			return err
		}
	}
	if err := o.db.QueryRow("SELECT count(*) FROM ledger").Scan(&o.stats.Dropped); err != nil {
		return err
	}
	rows, err := o.db.Query("SELECT seq, priority, value, bytes, committed FROM items ORDER BY seq")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r event.Ref
		var at int64
		if err := rows.Scan(&r.Seq, &r.Priority, &r.Value, &r.Bytes, &at); err != nil {
			return err
		}
		r.Time = time.Unix(0, at)
		o.waiting[r.Seq] = r
		o.fresh = append(o.fresh, r)
		o.stats.Waiting++
		o.stats.Bytes += int64(r.Bytes)
	}
	if len(o.fresh) > 0 {
		o.wake <- struct{}{}
	}
	return rows.Err()
}
