// Package crashguard keeps an input that kills the process from killing it for ever. Before an input
// enters native code (a decoder, a network) it is noted; after, the note is cleared. What is still
// noted when the next process starts was in hand when the last one died.
//
//	input ─▶ noted ─▶ native code ─▶ cleared
//	            └─ the process dies ─▶ suspected ─▶ tried alone ─▶ acquitted
//	                                                    └─ dies again ─▶ quarantined, with its bytes
//
// Several inputs may be in hand at a death, and most of them are innocent: so a suspect is tried
// again alone, with nothing else in native code. Only an end that the process came to of itself is held
// against anybody: docs/delivery.md says which, and how one is told from another. A process has one
// ledger, however many parts of it have something in hand: Go writes one crash report.
package crashguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"cloudcanvas/shared/telemetry"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/semaphore"
)

var (
	// ErrQuarantined refuses an input that killed the process.
	ErrQuarantined = errors.New("it is quarantined, since it killed the process before")
	// ErrResting refuses a live source whose frames killed the process, for a while.
	ErrResting = errors.New("its frames killed the process; the source rests for a while")
)

// Input is what is about to enter native code.
type Input struct {
	Source string // camera, image set or scene
	Name   string // which of its inputs: a file, a tile, a frame
	Key    string // its identity over restarts; empty: the digest of Data
	Data   []byte // its bytes, where they are at hand
	What   string // what Data is, where it is no file: 640x480 bgr24
	Path   string // the file, where Data is not at hand
	Live   bool   // it will not come again: its bytes are kept beside the note, and its source is judged too
	Alone  bool   // nothing else may be in native code meanwhile, suspected or not
}

// Guard is the attempt ledger of a process. Safe for concurrent use.
type Guard struct {
	config Config
	log    *slog.Logger
	now    func() time.Time
	notes  string // folder
	run    run
	last   Death
	turns  *semaphore.Weighted // one each, or all for a suspect

	mu         sync.Mutex
	free       []*slot
	slots      int
	inHand     map[*slot]time.Time
	suspects   *caseFolder
	quarantine *caseFolder
	resting    map[string]time.Time // live sources, until when
	unwritable bool                 // that notes can't be written was told
	lock       *os.File             // of a ledger that was taken because it was free
}

// maxInHand is more inputs than can be in hand at once.
const maxInHand = 1 << 20

// Open judges what the last process had in hand, and begins a new life. dir is the ledger's folder.
func Open(dir string, c Config, log *slog.Logger) (*Guard, error) {
	l := &Guard{config: c, log: log, now: time.Now, turns: semaphore.NewWeighted(maxInHand),
		inHand: map[*slot]time.Time{}, resting: map[string]time.Time{}, run: newRun(c.kills())}
	var err error
	if l.suspects, err = openFolder(filepath.Join(dir, "suspects")); err == nil {
		l.quarantine, err = openFolder(filepath.Join(dir, "quarantine"))
	}
	if err == nil {
		l.notes, err = notesFolder(c.Notes, dir)
	}
	if err == nil {
		err = l.readLastRun()
	}
	if err == nil {
		err = l.run.begin(l.notes)
	}
	if err != nil {
		return nil, fmt.Errorf("open the attempt ledger %s: %w", dir, err)
	}
	return l, nil
}

// RunID names this run of the process, as the next one's Last will.
func (l *Guard) RunID() string {
	if l == nil {
		return ""
	}
	return l.run.ID
}

// LastEnd is how the process before this one ended.
func (l *Guard) LastEnd() Death {
	if l == nil {
		return Death{}
	}
	return l.last
}

// Begin notes an input. done must be called when it is out of native code. An error that is
// ErrQuarantined or ErrResting says to leave the input out; any other is ctx's. A nil ledger notes
// nothing.
func (l *Guard) Begin(ctx context.Context, in Input) (done func(), err error) {
	if l == nil {
		return func() {}, ctx.Err()
	}
	if in.Key == "" {
		in.Key = "xxh64:" + strconv.FormatUint(xxhash.Sum64(in.Data), 16) + ":" + strconv.Itoa(len(in.Data))
	}
	alone, err := l.admit(in)
	if err != nil {
		return nil, err
	}
	weight := int64(1)
	if alone || in.Alone {
		weight = maxInHand
	}
	if err := l.turns.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	if weight == maxInHand {
		l.noteKills()
	}
	s := l.note(in, weight == maxInHand)
	return func() {
		l.clear(s)
		if weight == maxInHand {
			l.clearSuspicion(in)
		}
		l.turns.Release(weight)
	}, nil
}

// BeginAll notes inputs that go into native code together. None of them may be a suspect: those are
// tried alone, see Suspect.
func (l *Guard) BeginAll(ctx context.Context, inputs ...Input) (done func(), err error) {
	if l == nil || len(inputs) == 0 {
		return func() {}, ctx.Err()
	}
	if err := l.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	slots := make([]*slot, len(inputs))
	for n, in := range inputs {
		slots[n] = l.note(in, false)
	}
	return func() {
		for _, s := range slots {
			l.clear(s)
		}
		l.turns.Release(1)
	}, nil
}

// Suspect says whether an input is to be tried alone, or was given up.
func (l *Guard) Suspect(key string) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suspects.cases[key] != nil || l.quarantine.cases[key] != nil
}

// Forget lets go of what is held against an input: it rests elsewhere now, with the reason, and whoever
// puts it back wants it tried anew.
func (l *Guard) Forget(key string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range []*caseFolder{l.suspects, l.quarantine} {
		if c := f.cases[key]; c != nil {
			f.remove(c)
		}
	}
}

// Quarantine gives an input up that has shown itself without a death: it panicked, or took too long.
func (l *Guard) Quarantine(in Input, why string) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quarantine.cases[in.Key] != nil {
		return nil
	}
	c := l.suspect(in.Key, note{Source: in.Source, Name: in.Name, Path: in.Path, What: in.What}, why)
	c.Last = l.now()
	if err := l.suspects.put(c); err != nil {
		return err
	}
	return l.suspects.moveTo(l.quarantine, c)
}

// FirstReport says whether an input that was given up is yet to be told of, and that it now is: it may come up
// again whenever its log is read again.
func (l *Guard) FirstReport(key string) (first bool) {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.quarantine.cases[key]
	if c == nil || c.Reported {
		return c == nil
	}
	c.Reported = true
	if err := l.quarantine.put(c); err != nil {
		l.log.Warn("the attempt ledger could not note that somebody was told", "source", c.Source, "name", c.Name, telemetry.Err, err)
	}
	return true
}

// noteKills notes what the kernel counts before something is tried alone, so that what it kills for memory
// elsewhere in between says nothing.
func (l *Guard) noteKills() {
	now := l.config.kills()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now == l.run.Memory {
		return
	}
	l.run.Memory = now
	if err := l.run.write(l.notes); err != nil {
		l.log.Warn("the attempt ledger could not note what the kernel counts", telemetry.Err, err)
	}
}

// admit refuses what is quarantined, and says whether an input is to be tried alone.
func (l *Guard) admit(in Input) (alone bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.quarantine.cases[in.Key]; c != nil {
		l.keepBytes(c, in)
		return false, fmt.Errorf("%w: %s (%s)", ErrQuarantined, c.Why, filepath.Join(l.quarantine.path, c.place()+".json"))
	}
	if until, ok := l.resting[in.Source]; ok && in.Live {
		if l.now().Before(until) {
			return false, fmt.Errorf("%w: until %s", ErrResting, until.Format(time.TimeOnly))
		}
		delete(l.resting, in.Source)
	}
	suspect := l.suspects.cases[in.Key] != nil
	return suspect || in.Live && l.suspects.cases[sourceKey(in.Source)] != nil, nil
}

// note writes an input's note. Without one, on a full disk, the input goes on unguarded: that an
// input kills is rare, and capture must not end for want of a note. nil is no note.
func (l *Guard) note(in Input, alone bool) *slot {
	s, err := l.take()
	if err == nil {
		n := note{Key: in.Key, Source: in.Source, Name: in.Name, Path: in.Path, What: in.What, Live: in.Live, Alone: alone, Goroutine: goroutine()}
		if in.Live && int64(len(in.Data)) <= l.config.NoteBytes {
			n.data = in.Data
		}
		err = s.take(n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !l.unwritable {
		l.unwritable = true
		l.log.Error("an input can't be noted before it is decoded; one that kills the process would not be found", "folder", l.notes, telemetry.Err, err)
	}
	if s != nil {
		l.inHand[s] = l.now()
	}
	return s
}

func (l *Guard) take() (*slot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		s := l.free[n-1]
		l.free = l.free[:n-1]
		return s, nil
	}
	s, err := openSlot(l.notes, l.slots)
	if err == nil {
		l.slots++
	}
	return s, err
}

func (l *Guard) clear(s *slot) {
	if s == nil {
		return
	}
	err := s.clear()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.inHand, s)
	if err != nil { // a note that stays would accuse an innocent: the slot is not used again
		s.file.Truncate(0)
		s.file.Close()
		return
	}
	l.free = append(l.free, s)
}

// clearSuspicion acquits an input that went well alone, and a live source once enough of its frames did.
func (l *Guard) clearSuspicion(in Input) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.suspects.cases[in.Key]; c != nil {
		l.log.Info("an input that was suspected of killing the process did no harm alone: it is taken as any other", "source", in.Source, "name", in.Name)
		l.suspects.remove(c)
	}
	if c := l.suspects.cases[sourceKey(in.Source)]; c != nil && in.Live {
		if c.goodFrames++; c.goodFrames >= trustedAfter {
			l.suspects.remove(c)
		}
	}
}

// trustedAfter of a suspected live source must go well, each alone, before it is trusted again.
const trustedAfter = 250

// Quarantined counts the inputs that are left out.
func (l *Guard) Quarantined() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.quarantine.cases)
}

// Oldest is since when the input that is in native code longest is there; zero: none is.
func (l *Guard) Oldest() (oldest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.inHand {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// Stopping says that the process was told to stop: should it be killed before it has, the inputs in
// hand are not to blame.
func (l *Guard) Stopping() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run.Stopping = true
	if err := l.run.write(l.notes); err != nil {
		l.log.Warn("the attempt ledger could not note that the process stops", telemetry.Err, err)
	}
}

// Close takes leave: nothing is in hand any more.
func (l *Guard) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.free {
		s.file.Close()
	}
	l.free = nil
	if l.lock != nil {
		defer l.lock.Close()
	}
	return l.run.end(l.notes)
}
