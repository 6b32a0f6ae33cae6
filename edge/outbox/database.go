package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
)

// One writer, WAL and synchronous=FULL: what a transaction commits survives a power cut. Pages that
// are set free are given back to the filesystem step by step.
const dsn = "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)" +
	"&_pragma=synchronous(FULL)&_pragma=journal_size_limit(33554432)&_pragma=cache_size(-8192)"

// format is the database's user_version. Databases of format 2 had one epoch and no checksums of rows; they become
// of this one when they are opened.
const (
	format    = 3
	oneFormat = 2
)

// items is the index: small rows, whatever they stand for. cheap is minus the value density, so that
// items_worth runs from what goes first to what is dropped first, and backwards from there.
// The column mark is the row's checksum, the table marks holds notes of sources, ledger the drops.
const schema = `
CREATE TABLE IF NOT EXISTS counts (
	one INTEGER PRIMARY KEY CHECK (one=1), epoch TEXT NOT NULL, committed INTEGER NOT NULL, received INTEGER NOT NULL,
	dropped INTEGER NOT NULL, waiting INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS items (
	seq INTEGER PRIMARY KEY, priority INTEGER NOT NULL, cheap REAL NOT NULL, bytes INTEGER NOT NULL, committed INTEGER NOT NULL,
	expires INTEGER NOT NULL, segment INTEGER NOT NULL, place INTEGER NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL,
	rung INTEGER NOT NULL, value REAL NOT NULL, subject TEXT NOT NULL, id BLOB NOT NULL, time INTEGER NOT NULL,
	attrs TEXT NOT NULL, type TEXT NOT NULL, sha256 BLOB NOT NULL, mark INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS items_worth ON items (priority, cheap, seq DESC);
CREATE INDEX IF NOT EXISTS items_expiry ON items (expires) WHERE expires>0;
CREATE TABLE IF NOT EXISTS payloads (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS segments (id INTEGER PRIMARY KEY, waiting INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS streams (stream TEXT PRIMARY KEY, waiting INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_seq ON keys (seq);
CREATE TABLE IF NOT EXISTS parts (seq INTEGER PRIMARY KEY, cut INTEGER NOT NULL, have TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
	seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, stream TEXT NOT NULL, bytes INTEGER NOT NULL,
	reason TEXT NOT NULL, at INTEGER NOT NULL, reported INTEGER NOT NULL DEFAULT 0,
	mark INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS ledger_untold ON ledger (seq) WHERE reported=0;
CREATE TABLE IF NOT EXISTS epochs (first INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, waiting INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gaps (epoch TEXT PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL, owed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS losses (
	epoch TEXT NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, at INTEGER NOT NULL, reported INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (epoch, low)) WITHOUT ROWID;`

// severalEpochs makes a database of one epoch one of several. Its rows have no checksums: after a
// fault their numbers alone prove nothing.
const severalEpochs = `
ALTER TABLE items ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
INSERT INTO epochs SELECT 1, epoch, waiting FROM counts WHERE committed>0;`

var (
	errCorrupt = errors.New("the database is corrupt")
	errFormat  = errors.New("the database is another program's")
)

// maxCheckedAtStart is how large a database may be to be checked page by page before it is used. A larger
// one is checked while it is used already; what is found then is salvaged at the next start.
const maxCheckedAtStart = 64 << 20

func openDatabase(path string, suspect bool) (*sql.DB, error) {
	db, err := sql.Open("sqlite", durable.SQLiteURI(path)+dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(5) // the owner writes, others read beside it
	if err := prepareDatabase(db, path, suspect); err != nil {
		db.Close()
		// SQLITE_ERROR: a table is not the one that the format says
		if c := code(err); c == lib.SQLITE_CORRUPT || c == lib.SQLITE_NOTADB || c == lib.SQLITE_ERROR {
			err = fmt.Errorf("%w: %w", errCorrupt, err)
		} else if (c == lib.SQLITE_READONLY || c == lib.SQLITE_IOERR) && probe(filepath.Dir(path)) == nil {
			err = fmt.Errorf("%w: the disk can be written to, and the database can't: %w", errCorrupt, err)
		}
		return nil, err
	}
	return db, nil
}

func prepareDatabase(db *sql.DB, path string, suspect bool) error {
	var version, tables int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := db.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	if tables > 0 && version != format && version != oneFormat {
		return fmt.Errorf("%w: %s is of format %d, this program writes %d: drain it with the program that made it, or move it away", errFormat, path, version, format)
	}
	// In one transaction: a crash in the midst of it leaves an empty file, not half of the tables. Where
	// all is there nothing is written, so that a start needs no room on the disk.
	text := schema
	if tables > 0 && version == oneFormat {
		text += severalEpochs
	}
	if version != format {
		text += fmt.Sprintf("PRAGMA user_version=%d;", format)
	}
	if _, err := db.Exec("BEGIN IMMEDIATE;" + text + "COMMIT"); err != nil {
		return err
	}
	if err := contradiction(db); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	switch {
	case info.Size() <= maxCheckedAtStart:
		return check(context.Background(), db, "integrity_check")
	case suspect:
		return check(context.Background(), db, "quick_check")
	}
	return nil
}

// contradiction is an error where the counts and the tables contradict each other, as far as a few look-ups
// show it: whole pages may still hold what was never written there.
func contradiction(db *sql.DB) error {
	if _, err := db.Exec(itemColumns + "LIMIT 0"); err != nil {
		return err
	}
	var rows int
	var committed, received, dropped, waiting, last int64
	err := db.QueryRow(`SELECT count(*), ifnull(max(committed),0), ifnull(max(received),0), ifnull(max(dropped),0), ifnull(max(waiting),0),
		max(ifnull((SELECT max(seq) FROM items),0), ifnull((SELECT max(seq) FROM payloads),0)) FROM counts`).Scan(&rows, &committed, &received, &dropped, &waiting, &last)
	if err != nil {
		return err
	}
	var there bool
	if err := db.QueryRow("SELECT EXISTS (SELECT 1 FROM items)").Scan(&there); err != nil {
		return err
	}
	var orphans int
	err = db.QueryRow("SELECT count(*) FROM (SELECT min(seq) AS oldest FROM items) WHERE oldest<ifnull((SELECT min(first) FROM epochs), oldest+1)").Scan(&orphans)
	if err != nil {
		return err
	}
	if orphans > 0 {
		return fmt.Errorf("%w: items wait that belong to no epoch", errCorrupt)
	}
	if last > committed || committed != received+dropped+waiting || there != (waiting > 0) {
		return fmt.Errorf("%w: %d committed, %d received, %d dropped, %d waiting, but the last number is %d (%d rows of counts)",
			errCorrupt, committed, received, dropped, waiting, last, rows)
	}
	return nil
}

// indexStreams keeps an index by stream while a stream has a quota of its own: else each drop of that
// stream would pass over all that waits of the others. Without it everything works, and slower.
func indexStreams(db *sql.DB, c Config) error {
	text := "DROP INDEX IF EXISTS items_stream"
	for _, s := range c.Streams {
		if s.QuotaBytes > 0 || s.QuotaRows > 0 {
			text = "CREATE INDEX IF NOT EXISTS items_stream ON items (stream, priority, cheap, seq DESC)"
		}
	}
	_, err := db.Exec(text)
	return err
}

// check reads every page. SQLite's integrity_check holds the indices against the tables as well: an
// item that is missing in one waits for ever. That takes too long where there are many.
func check(ctx context.Context, db *sql.DB, how string) error {
	var result string
	if err := db.QueryRowContext(ctx, "PRAGMA "+how+"(1)").Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("%w: %s", errCorrupt, result)
	}
	return nil
}

// code is SQLite's primary result code; 0 for other errors.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func entropy() *ulid.MonotonicEntropy { return ulid.Monotonic(rand.Reader, 0) }

// load reads the epochs and the counts; a new database gets its name here. What waits is not read:
// opening takes as long with a million items as with none.
func (o *Outbox) load() error {
	row := o.db.QueryRow("SELECT epoch, committed, received, dropped, waiting, bytes FROM counts")
	err := row.Scan(&o.id, &o.stats.Committed, &o.stats.Received, &o.stats.Dropped, &o.stats.Waiting, &o.stats.Bytes)
	if errors.Is(err, sql.ErrNoRows) {
		o.id = event.NewEpoch()
		_, err = o.db.Exec("INSERT INTO counts VALUES (1, ?, 0, 0, 0, 0, 0)", string(o.id))
	}
	if err != nil {
		return err
	}
	if err := o.loadEpochs(); err != nil {
		return err
	}
	if err := o.loadGaps(); err != nil {
		return err
	}
	if err := o.loadStreams(); err != nil {
		return err
	}
	if err := o.loadParts(); err != nil {
		return err
	}
	alive, err := o.liveSegments()
	if err != nil {
		return err
	}
	o.segments, err = openSegments(o.segmentFolder(), alive)
	return err
}

func (o *Outbox) loadStreams() error {
	rows, err := o.db.Query("SELECT stream, waiting, bytes FROM streams")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var u usage
		if err := rows.Scan(&name, &u.waiting, &u.bytes); err != nil {
			return err
		}
		o.streams[name] = u
	}
	return rows.Err()
}

func (o *Outbox) liveSegments() (map[uint64]int64, error) {
	rows, err := o.db.Query("SELECT id, waiting FROM segments")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	alive := map[uint64]int64{}
	for rows.Next() {
		var id uint64
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return nil, err
		}
		alive[id] = n
	}
	return alive, rows.Err()
}

// lock takes the outbox for this process: two must not write one.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: another process has it open (%s)", ErrLocked, path)
	}
	return f, nil
}
