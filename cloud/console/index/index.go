// Package index is what the console knows: a database on disk that follows Kafka and can be made anew from
// it at any time, and what edges say of themselves in their retained status.
//
//	Kafka ─▶ follow ─▶ fold ─▶ SQLite ─▶ Scenes, Cameras, Events, Sensors, Edges, DeadLetters, Pictures
//	MQTT status ──────▶ │         │
//	                    └─────────┴─▶ Notices ─▶ open pages
//
// Nothing here is the only copy of anything.
package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/kafka"
)

// synchronous=NORMAL: what a power cut takes is read from Kafka again.
const (
	writing = "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-16000)"
	reading = "?_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=cache_size(-8000)"
	readers = 4
)

// Times are Unix milliseconds; "heard" is Kafka's own time of a record, which no edge's clock sets.
const schema = `
CREATE TABLE progress (topic TEXT, part INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, part)) WITHOUT ROWID;
CREATE TABLE edges (edge TEXT PRIMARY KEY, status TEXT NOT NULL DEFAULT '', epoch TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '',
	since INTEGER NOT NULL DEFAULT 0, heard INTEGER NOT NULL DEFAULT 0, link TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE scenes (edge TEXT, id TEXT, captured INTEGER NOT NULL DEFAULT 0, manifested INTEGER NOT NULL DEFAULT 0,
	first_result INTEGER NOT NULL DEFAULT 0, last_result INTEGER NOT NULL DEFAULT 0, results INTEGER NOT NULL DEFAULT 0,
	published INTEGER NOT NULL DEFAULT 0, width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0,
	tiles INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0, cols INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL DEFAULT 0,
	size INTEGER NOT NULL DEFAULT 0, overlap INTEGER NOT NULL DEFAULT 0, margin INTEGER NOT NULL DEFAULT 0,
	ring TEXT NOT NULL DEFAULT '', west REAL, south REAL, east REAL, north REAL,
	complete INTEGER NOT NULL DEFAULT 0, cloud REAL, product TEXT NOT NULL DEFAULT '', PRIMARY KEY (edge, id)) WITHOUT ROWID;
CREATE INDEX scenes_by_time ON scenes (captured);
CREATE INDEX scenes_by_product ON scenes (published);
CREATE INDEX scenes_incomplete ON scenes (published) WHERE complete = 0;
CREATE TABLE cameras (edge TEXT, name TEXT, model TEXT NOT NULL DEFAULT '', width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0,
	frames INTEGER NOT NULL DEFAULT 0, detections INTEGER NOT NULL DEFAULT 0, rate REAL NOT NULL DEFAULT 0, last_frame INTEGER NOT NULL DEFAULT 0,
	heard INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0, product TEXT NOT NULL DEFAULT '', PRIMARY KEY (edge, name)) WITHOUT ROWID;
CREATE TABLE batches (edge TEXT, camera TEXT, first INTEGER, last INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (edge, camera, first)) WITHOUT ROWID;
CREATE TABLE pictures (n INTEGER PRIMARY KEY, slot TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, frame INTEGER NOT NULL, media TEXT NOT NULL,
	bytes INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX pictures_by_size ON pictures (n, bytes);
CREATE TABLE events (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, edge TEXT NOT NULL, stream TEXT NOT NULL,
	label TEXT NOT NULL, state TEXT NOT NULL, score REAL NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL, heard INTEGER NOT NULL,
	frame INTEGER NOT NULL, frames INTEGER NOT NULL, box TEXT NOT NULL, picture TEXT NOT NULL);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_stream ON events (edge, stream, at);
CREATE INDEX events_by_label ON events (label, at);
CREATE INDEX events_by_kind ON events (kind, at);
CREATE INDEX alerts_by_arrival ON events (heard) WHERE kind = 'alert';
CREATE TABLE labels (label TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sensors (edge TEXT, name TEXT, key TEXT, last REAL NOT NULL, at INTEGER NOT NULL, heard INTEGER NOT NULL, count INTEGER NOT NULL,
	PRIMARY KEY (edge, name, key)) WITHOUT ROWID;
CREATE TABLE readings (n INTEGER PRIMARY KEY, edge TEXT NOT NULL, sensor TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL);
CREATE INDEX readings_by_sensor ON readings (edge, sensor, key, at);
CREATE TABLE limits (edge TEXT, sensor TEXT, key TEXT, side TEXT, level REAL NOT NULL, heard INTEGER NOT NULL, PRIMARY KEY (edge, sensor, key, side)) WITHOUT ROWID;
CREATE TABLE drops (edge TEXT, kind TEXT, stream TEXT, reason TEXT, count INTEGER NOT NULL, bytes INTEGER NOT NULL, last INTEGER NOT NULL,
	PRIMARY KEY (edge, kind, stream, reason)) WITHOUT ROWID;
CREATE TABLE letters (part INTEGER, at INTEGER, heard INTEGER NOT NULL, topic TEXT NOT NULL, connector TEXT NOT NULL, stage TEXT NOT NULL,
	class TEXT NOT NULL, reason TEXT NOT NULL, edge TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, bytes INTEGER NOT NULL,
	quarantine TEXT NOT NULL, head BLOB NOT NULL, PRIMARY KEY (part, at)) WITHOUT ROWID;
CREATE INDEX letters_by_time ON letters (heard);
PRAGMA user_version = 2;`

const schemaVersion = 2

// Log is what the index needs of Kafka.
type Log interface {
	Partitions(ctx context.Context, topic string) (int, error)
	Offsets(ctx context.Context, topic string) (map[int]kafka.OffsetRange, error)
	Read(ctx context.Context, topic string, partition int, from int64, handle func([]kafka.Record) error) error
}

// Objects is where large data rests.
type Objects interface {
	Get(ctx context.Context, ref string) ([]byte, error)
}

// Disk knows of the disk under the index whether it takes writes. What can't be written there meanwhile is
// read from Kafka again.
type Disk interface {
	// Blames says whether it was the disk that made a write fail.
	Blames(err error) bool
	// Err says why it takes no writes now.
	Err() error
}

// Bounds are how much is kept.
type Bounds struct {
	Events       int64 // tracks and alerts
	Readings     int64
	Scenes       int64
	PictureBytes int64
}

// Options are what an index is made of. Folder, Log, Disk and Logger must be there.
type Options struct {
	Folder   string
	Keep     Bounds
	Log      Log
	Objects  Objects           // nil: there are none
	Attempts *crashguard.Guard // nil: a record that kills the process kills it again
	Disk     Disk
	Logger   *slog.Logger
	Step     func()                        // called as long as the index moves
	Skipped  func(topic string, err error) // a record could not be shown
	Every    time.Duration                 // between looks at Kafka; 0: a few seconds
}

// Index is what is known, on disk. One goroutine at a time writes; readers read beside it.
type Index struct {
	Scenes      Scenes
	Cameras     Cameras
	Events      Events
	Sensors     Sensors
	Edges       Edges
	DeadLetters DeadLetters
	Pictures    Pictures
	Notices     *Notices

	o     Options
	path  string
	said  *statuses
	reach reach

	mu    sync.Mutex // of the writer
	write *sql.DB
	read  *sql.DB
}

// Open opens the index in a folder, or makes it there. One that is broken or of another version is
// made anew: Kafka fills it again. Where the disk takes no writes that is no fault of the index.
func Open(ctx context.Context, o Options) (*Index, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the console's folder: %w (choose another with console.data)", err)
	}
	if o.Every == 0 {
		o.Every = lookEvery
	}
	x := &Index{o: o, path: filepath.Join(o.Folder, "index.db"), said: &statuses{}, Notices: newNotices(time.Now())}
	err := x.open(ctx)
	if err == nil {
		return x, nil
	}
	x.Close()
	if o.Disk.Blames(err) {
		return nil, fmt.Errorf("open the console's index %s: %w", x.path, errors.Join(err, o.Disk.Err()))
	}
	o.Logger.Warn("the console's index is made anew", "reason", err)
	if err := removeDatabase(x.path); err != nil {
		return nil, fmt.Errorf("make the console's index anew: %w", err)
	}
	if err := x.open(ctx); err != nil {
		x.Close()
		return nil, fmt.Errorf("open the console's index %s: %w", x.path, err)
	}
	return x, nil
}

func (x *Index) open(ctx context.Context) (err error) {
	if x.write, err = sql.Open("sqlite", durable.SQLiteURI(x.path)+writing); err != nil {
		return err
	}
	x.write.SetMaxOpenConns(1)
	var version int
	if err := x.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case 0:
		if _, err := x.write.ExecContext(ctx, schema); err != nil {
			return err
		}
	case schemaVersion:
		var verdict string
		if err := x.write.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil || verdict != "ok" {
			return fmt.Errorf("it is corrupt: %s %w", verdict, err)
		}
	default:
		return fmt.Errorf("it has version %d, this program writes %d", version, schemaVersion)
	}
	if _, err := x.write.ExecContext(ctx, seenSchema); err != nil {
		return err
	}
	if x.read, err = sql.Open("sqlite", durable.SQLiteURI(x.path)+reading); err != nil {
		return err
	}
	x.read.SetMaxOpenConns(readers)
	x.Scenes, x.Events, x.Sensors, x.DeadLetters, x.Pictures = Scenes{x.read}, Events{x.read}, Sensors{x.read}, DeadLetters{x.read}, Pictures{x.read}
	x.Cameras, x.Edges = Cameras{x.read, x.said}, Edges{x.read, x.said}
	return x.read.PingContext(ctx)
}

// forget empties the index, for a Kafka that is not the one it was made from.
func (x *Index) forget(ctx context.Context) error {
	return x.change(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"progress", "edges", "scenes", "cameras", "batches", "pictures", "events", "labels", "sensors", "readings", "limits", "drops", "letters", "seen"} {
			if _, err := tx.Exec("DELETE FROM " + table); err != nil {
				return err
			}
		}
		return nil
	})
}

// change does something in one transaction.
func (x *Index) change(ctx context.Context, do func(*sql.Tx) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the console's index: %w", err)
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return fmt.Errorf("write the console's index: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the console's index: %w", err)
	}
	return nil
}

// next is the offset to read a partition from.
func (x *Index) next(ctx context.Context, topic string, partition int) (offset int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT next FROM progress WHERE topic = ? AND part = ?", topic, partition).Scan(&offset)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return offset, err
}

// Close gives back what Open took.
func (x *Index) Close() {
	for _, db := range []*sql.DB{x.read, x.write} {
		if db != nil {
			db.Close()
		}
	}
}

func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
