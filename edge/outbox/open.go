package outbox

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	lib "modernc.org/sqlite/lib"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// opening is the way from a folder to a buffer that can be used.
type opening struct {
	dir, path  string
	log        *slog.Logger
	witness    witness
	hasWitness bool // there is a witness
	missing    string
	segments   int   // files that were there
	bytes      int64 // in them
	damaged    string
	wal        walState // of the damaged database's log
}

// salvageFile names the damaged database while it is being salvaged: a start that finds it begins anew with it.
func salvageFile(dir string) string { return filepath.Join(dir, "salvaging.json") }

// survey checks what is in the folder before SQLite changes anything, and moves aside what is damaged.
func survey(dir string, log *slog.Logger) (*opening, error) {
	p := &opening{dir: dir, path: databasePath(dir), log: log}
	p.witness, p.hasWitness = readWitness(dir)
	p.countSegments()
	if err := p.unfinished(); err != nil || p.damaged != "" {
		return p, err
	}
	info, err := os.Stat(p.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("open the outbox %s: %w", p.path, err)
	}
	page, _ := pageSizeOf(p.path)
	wal, err := inspectWAL(p.path+"-wal", page)
	if err != nil {
		return p, fmt.Errorf("read the outbox's log %s-wal: %w", p.path, err)
	}
	p.wal = wal
	switch gone := info == nil || info.Size() == 0; {
	case gone && wal.end > 0:
		return p, p.setAside("the database is missing or empty, and its log is not")
	case gone && info == nil:
		p.missing = "is missing"
	case gone:
		p.missing = "is empty"
	case wal.damaged:
		return p, p.setAside(fmt.Sprintf("the log is damaged after %d of %d pages", wal.good, wal.end))
	case isSuspect(dir, suspectRows):
		return p, p.setAside("rows are not as they were committed")
	case wal.torn && p.hasWitness && p.behind():
		return p, p.setAside(fmt.Sprintf("the log is damaged after %d pages: the witness file has more", wal.good))
	}
	return p, nil
}

// behind says whether what SQLite makes of the database is less than what was noted.
func (p *opening) behind() bool {
	r, err := OpenReader(p.dir, "")
	if err != nil {
		return false
	}
	defer r.Close()
	return r.Stats.Committed < p.witness.Committed && p.witness.Life == r.DatabaseID
}

func (p *opening) countSegments() {
	files, _ := filepath.Glob(filepath.Join(p.dir, "segments", "*.seg"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			p.segments, p.bytes = p.segments+1, p.bytes+info.Size()
		}
	}
}

// setAside moves a damaged database away. What it is called is written down first, so that a start
// that is cut short is gone on with by the next.
func (p *opening) setAside(why string) error {
	for at := time.Now().Unix(); p.damaged == ""; at++ {
		name := fmt.Sprintf("%s.corrupt-%d", p.path, at)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			p.damaged = name
		}
	}
	p.log.Error("the outbox's database is corrupt: it is kept aside, and what can be read is taken over", "file", p.damaged, telemetry.Err, why)
	b, err := json.Marshal(map[string]string{"wreck": filepath.Base(p.damaged)})
	if err == nil {
		err = renameio.WriteFile(salvageFile(p.dir), b, 0o600)
	}
	if err == nil {
		err = moveAside(p.path, p.damaged)
	}
	if err != nil {
		return fmt.Errorf("keep the corrupt outbox aside: %w", err)
	}
	return nil
}

// moveAside moves the database's file last: where it has moved, all have.
func moveAside(path, aside string) error {
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if _, err := os.Stat(aside); errors.Is(err, fs.ErrNotExist) { // there was a log only
		return os.WriteFile(aside, nil, 0o600)
	}
	return nil
}

// unfinished goes on with a salvage that was cut short: what it had made is thrown away, for all of it
// is still in the damaged database.
func (p *opening) unfinished() error {
	b, err := os.ReadFile(salvageFile(p.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var named struct {
		Wreck string `json:"wreck"` // the word of the file
	}
	if err == nil {
		err = json.Unmarshal(b, &named)
	}
	if err != nil || named.Wreck == "" || filepath.Base(named.Wreck) != named.Wreck {
		p.log.Warn("the note of an unfinished salvage can't be read; that salvage is not continued", "file", salvageFile(p.dir), telemetry.Err, err)
		return os.Remove(salvageFile(p.dir))
	}
	damaged := filepath.Join(p.dir, named.Wreck)
	if _, err := os.Stat(damaged); errors.Is(err, fs.ErrNotExist) {
		if err := moveAside(p.path, damaged); err != nil {
			return fmt.Errorf("keep the corrupt outbox aside: %w", err)
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(p.path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("begin a salvage anew: %w", err)
		}
	}
	p.damaged = damaged
	p.log.Warn("the salvage of the corrupt outbox was interrupted and begins anew", "file", damaged)
	page, _ := pageSizeOf(damaged)
	p.wal, err = inspectWAL(damaged+"-wal", page)
	return err
}

// Open opens the buffer in dir, or makes it there. edge names the device. Every start begins a new
// epoch. A corrupt database is moved aside; what can be read of it keeps its numbers.
func Open(dir, edge string, c Config, log *slog.Logger) (_ *Outbox, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain(fmt.Errorf("make the outbox's folder: %w", err))
	}
	held, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, explain(err)
	}
	defer func() {
		if err != nil {
			err = explain(err)
			held.Close()
		}
	}()
	p, err := survey(dir, log)
	if err != nil {
		return nil, err
	}
	o, damaged, err := begin(p, edge, c, held)
	if isDamage(err) && p.damaged == "" { // it was opened, and what it says can't be
		if err := p.setAside(err.Error()); err != nil {
			return nil, err
		}
		o, damaged, err = begin(p, edge, c, held)
	}
	if damaged != nil {
		defer damaged.close()
	}
	if err != nil {
		return nil, err
	}
	os.Remove(suspectFile(dir))
	if damaged != nil {
		if err = o.salvage(damaged); err != nil {
			o.Close()
			return nil, fmt.Errorf("salvage the corrupt outbox %s: %w", p.damaged, err)
		}
		os.Remove(salvageFile(dir))
	}
	for _, t := range o.found {
		o.raiseTrouble(t)
	}
	o.writeWitness(true)
	return o, nil
}

// isDamage says whether an error is one that a sound database does not give.
func isDamage(err error) bool {
	switch code(err) {
	case lib.SQLITE_ERROR, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB, lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH:
		return true
	}
	return err != nil && (errors.Is(err, errCorrupt) || strings.Contains(err.Error(), "sql: Scan error"))
}

// begin opens the database and lets its owner begin. The damaged one is open too where there is one.
func begin(p *opening, edge string, c Config, held *os.File) (*Outbox, *damagedBuffer, error) {
	o := &Outbox{
		config: c, dir: p.dir, edge: edge, log: p.log, lock: held, ballast: ballast{path: filepath.Join(p.dir, "ballast"), bytes: c.BallastBytes},
		requests: make(chan request, 4*maxBatch), done: make(chan struct{}), wake: make(chan struct{}, 1), corrupt: make(chan struct{}), changed: make(chan struct{}, 1),
		parts: map[uint64]heldParts{}, streams: map[string]usage{}, freed: make(chan struct{}), now: time.Now, entropy: entropy(),
		freedAbove: map[event.Epoch][]event.Range{}, deferred: map[event.Epoch]deferredReceipt{}, gapReceipts: map[event.Epoch]gapReceipt{}, gaps: map[event.Epoch]gap{}, losses: map[event.Epoch]int{},
		troubles: readTroubles(p.dir, time.Now()),
		disk:     func() error { return nil },
	}
	if err := o.openDatabase(p); err != nil {
		return nil, nil, fmt.Errorf("open the outbox %s: %w", p.path, err)
	}
	var damaged *damagedBuffer
	if p.damaged != "" { // before the segments that only it names are removed
		damaged = openDamaged(p, o.segmentFolder())
	}
	if err := o.start(p, damaged); err != nil {
		o.db.Close()
		return nil, damaged, fmt.Errorf("read the outbox %s: %w", p.path, err)
	}
	return o, damaged, nil
}

// openDatabase opens what is there. What turns out to be corrupt is set aside, and a new one is made.
func (o *Outbox) openDatabase(p *opening) (err error) {
	_, suspect := os.Stat(suspectFile(o.dir))
	o.db, err = openDatabase(p.path, suspect == nil)
	if isFull(err) && o.ballast.drop(o.log) {
		o.db, err = openDatabase(p.path, suspect == nil)
	}
	if err == nil && p.hasWitness && p.missing == "" && p.damaged == "" {
		if err = p.historyOf(o.db); err != nil {
			o.db.Close()
		}
	}
	// The witness file has its format: what the database says now is a flipped bit.
	if !errors.Is(err, errCorrupt) && !(errors.Is(err, errFormat) && p.hasWitness && p.witness.Format == format) {
		return err
	}
	if err := p.setAside(err.Error()); err != nil {
		return err
	}
	o.db, err = openDatabase(p.path, false)
	return err
}

// historyOf compares the epochs of a database with those of the witness file: one with a flipped bit would
// let all items of it look like another's.
func (p *opening) historyOf(db *sql.DB) error {
	var id event.Epoch
	var committed uint64
	if err := db.QueryRow("SELECT epoch, committed FROM counts").Scan(&id, &committed); err != nil {
		return nil // it is a new one
	}
	own, err := readTerms(db)
	noted := p.witness.terms()
	if err != nil || id != p.witness.Life || len(noted) == 0 {
		return err
	}
	for _, t := range noted {
		if at := own.find(t.epoch); at >= 0 && own[at].first == t.first || t.first > committed || len(own) > 0 && t.first < own[0].first {
			continue
		}
		return fmt.Errorf("%w: it does not have epoch %s from item %d on, which the witness file has", errCorrupt, t.epoch, t.first)
	}
	for _, t := range own {
		if at := noted.find(t.epoch); at < 0 && t.first >= noted[0].first && t.first <= p.witness.Committed {
			return fmt.Errorf("%w: it has epoch %s from item %d on, which the witness file does not have", errCorrupt, t.epoch, t.first)
		}
	}
	return nil
}

// explain says what to do about a disk that lets nobody write.
func explain(err error) error {
	if isDisk(err) {
		return fmt.Errorf("%w: %w. Look at `dmesg`; check the filesystem with fsck and mount it again so that it can be written to, or replace the disk", ErrDisk, err)
	}
	return err
}
