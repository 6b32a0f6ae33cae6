// Package crashguard keeps an input that kills the process from killing it for ever. Before an input
// enters native code (a decoder, a network) it is noted in a journal; after, the note is cleared. What is
// still noted when the next process starts was in native code when the last one died.
//
//	input ─▶ noted ─▶ native code ─▶ cleared
//	            └─ the process dies ─▶ suspected ─▶ tried alone ─▶ cleared
//	                                                    └─ dies again ─▶ quarantined, with its bytes
//
// Several inputs may be in native code at a death, and most of them did not cause it: so a suspect is
// tried again alone, with nothing else in native code. Only an end that the process came to of itself
// counts: docs/delivery.md says which, and how they are distinguished. A process has one journal, however
// many parts of it use native code: Go writes one crash report.
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
	ErrQuarantined = errors.New("the input is quarantined, since it killed the process before")
	// ErrResting refuses a live source whose frames killed the process, for a while.
	ErrResting = errors.New("the source rests for a while, since its frames killed the process")
)

// Input is what is about to enter native code.
type Input struct {
	Source string // camera, image set or scene
	Name   string // which of its inputs: a file, a tile, a frame
	Key    string // its identity over restarts; empty: the digest of Data
	Data   []byte // its bytes, where they are in memory
	What   string // what Data is, where it is no file: 640x480 bgr24
	Path   string // the file, where Data is nil
	Live   bool   // it will not come again: its bytes are kept beside the note, and deaths count for its source too
	Alone  bool   // nothing else may be in native code meanwhile, suspected or not
}

// Guard keeps the crash journal of a process. Safe for concurrent use.
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
	unwritable bool                 // notes can't be written, which was logged
	lock       *os.File             // of a journal that OpenFree took
}

// maxInHand is more inputs than can be in native code at once.
const maxInHand = 1 << 20

// Open evaluates what the last process had in native code, and begins a new run. dir is the journal's folder.
func Open(dir string, c Config, log *slog.Logger) (*Guard, error) {
	g := &Guard{config: c, log: log, now: time.Now, turns: semaphore.NewWeighted(maxInHand),
		inHand: map[*slot]time.Time{}, resting: map[string]time.Time{}, run: newRun(c.kills())}
	var err error
	if g.suspects, err = openFolder(filepath.Join(dir, "suspects")); err == nil {
		g.quarantine, err = openFolder(filepath.Join(dir, "quarantine"))
	}
	if err == nil {
		g.notes, err = notesFolder(c.Notes, dir)
	}
	if err == nil {
		err = g.readLastRun()
	}
	if err == nil {
		err = g.run.begin(g.notes)
	}
	if err != nil {
		return nil, fmt.Errorf("open the crash journal %s: %w", dir, err)
	}
	return g, nil
}

// RunID names this run of the process, as the next one's Last will.
func (g *Guard) RunID() string {
	if g == nil {
		return ""
	}
	return g.run.ID
}

// LastEnd is how the process before this one ended.
func (g *Guard) LastEnd() Death {
	if g == nil {
		return Death{}
	}
	return g.last
}

// Begin notes an input. done must be called when it is out of native code. An error that is
// ErrQuarantined or ErrResting says to skip the input; any other is ctx's. A nil Guard notes
// nothing.
func (g *Guard) Begin(ctx context.Context, in Input) (done func(), err error) {
	if g == nil {
		return func() {}, ctx.Err()
	}
	if in.Key == "" {
		in.Key = "xxh64:" + strconv.FormatUint(xxhash.Sum64(in.Data), 16) + ":" + strconv.Itoa(len(in.Data))
	}
	alone, err := g.admit(in)
	if err != nil {
		return nil, err
	}
	weight := int64(1)
	if alone || in.Alone {
		weight = maxInHand
	}
	if err := g.turns.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	if weight == maxInHand {
		g.noteKills()
	}
	s := g.note(in, weight == maxInHand)
	return func() {
		g.clear(s)
		if weight == maxInHand {
			g.clearSuspicion(in)
		}
		g.turns.Release(weight)
	}, nil
}

// BeginAll notes inputs that go into native code together. None of them may be a suspect: those are
// tried alone, see Suspect.
func (g *Guard) BeginAll(ctx context.Context, inputs ...Input) (done func(), err error) {
	if g == nil || len(inputs) == 0 {
		return func() {}, ctx.Err()
	}
	if err := g.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	slots := make([]*slot, len(inputs))
	for n, in := range inputs {
		slots[n] = g.note(in, false)
	}
	return func() {
		for _, s := range slots {
			g.clear(s)
		}
		g.turns.Release(1)
	}, nil
}

// Suspect says whether an input is to be tried alone, or was given up.
func (g *Guard) Suspect(key string) bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.suspects.cases[key] != nil || g.quarantine.cases[key] != nil
}

// Forget lets go of what is held against an input: it rests elsewhere now, with the reason, and whoever
// puts it back wants it tried anew.
func (g *Guard) Forget(key string) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range []*caseFolder{g.suspects, g.quarantine} {
		if c := f.cases[key]; c != nil {
			f.remove(c)
		}
	}
}

// Quarantine gives an input up that has shown itself without a death: it panicked, or took too long.
func (g *Guard) Quarantine(in Input, why string) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.quarantine.cases[in.Key] != nil {
		return nil
	}
	c := g.suspect(in.Key, note{Source: in.Source, Name: in.Name, Path: in.Path, What: in.What}, why)
	c.Last = g.now()
	if err := g.suspects.put(c); err != nil {
		return err
	}
	return g.suspects.moveTo(g.quarantine, c)
}

// FirstReport says whether the quarantine of an input was not reported yet, and notes that it now is: the input
// may come again whenever its log is read again.
func (g *Guard) FirstReport(key string) (first bool) {
	if g == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.quarantine.cases[key]
	if c == nil || c.Reported {
		return c == nil
	}
	c.Reported = true
	if err := g.quarantine.put(c); err != nil {
		g.log.Warn("the crash journal could not note that a quarantined input was reported", "source", c.Source, "name", c.Name, telemetry.Err, err)
	}
	return true
}

// noteKills notes what the kernel counts before something is tried alone, so that what it kills for memory
// elsewhere in between says nothing.
func (g *Guard) noteKills() {
	now := g.config.kills()
	g.mu.Lock()
	defer g.mu.Unlock()
	if now == g.run.Memory {
		return
	}
	g.run.Memory = now
	if err := g.run.write(g.notes); err != nil {
		g.log.Warn("the crash journal could not note how many processes the kernel has killed for memory", telemetry.Err, err)
	}
}

// admit refuses what is quarantined, and says whether an input is to be tried alone.
func (g *Guard) admit(in Input) (alone bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.quarantine.cases[in.Key]; c != nil {
		g.keepBytes(c, in)
		return false, fmt.Errorf("%w: %s (%s)", ErrQuarantined, c.Why, filepath.Join(g.quarantine.path, c.place()+".json"))
	}
	if until, ok := g.resting[in.Source]; ok && in.Live {
		if g.now().Before(until) {
			return false, fmt.Errorf("%w: until %s", ErrResting, until.Format(time.TimeOnly))
		}
		delete(g.resting, in.Source)
	}
	suspect := g.suspects.cases[in.Key] != nil
	return suspect || in.Live && g.suspects.cases[sourceKey(in.Source)] != nil, nil
}

// note writes an input's note. Without one, on a full disk, the input goes on unguarded: that an
// input kills is rare, and capture must not end for want of a note. nil is no note.
func (g *Guard) note(in Input, alone bool) *slot {
	s, err := g.take()
	if err == nil {
		n := note{Key: in.Key, Source: in.Source, Name: in.Name, Path: in.Path, What: in.What, Live: in.Live, Alone: alone, Goroutine: goroutine()}
		if in.Live && int64(len(in.Data)) <= g.config.NoteBytes {
			n.data = in.Data
		}
		err = s.take(n)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && !g.unwritable {
		g.unwritable = true
		g.log.Error("the crash journal can't note inputs before they are decoded; one that kills the process would not be found", "folder", g.notes, telemetry.Err, err)
	}
	if s != nil {
		g.inHand[s] = g.now()
	}
	return s
}

func (g *Guard) take() (*slot, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.free); n > 0 {
		s := g.free[n-1]
		g.free = g.free[:n-1]
		return s, nil
	}
	s, err := openSlot(g.notes, g.slots)
	if err == nil {
		g.slots++
	}
	return s, err
}

func (g *Guard) clear(s *slot) {
	if s == nil {
		return
	}
	err := s.clear()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.inHand, s)
	if err != nil { // a note that stays would make the input a suspect: the slot is not used again
		s.file.Truncate(0)
		s.file.Close()
		return
	}
	g.free = append(g.free, s)
}

// clearSuspicion clears an input that went well alone, and a live source once enough of its frames did.
func (g *Guard) clearSuspicion(in Input) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.suspects.cases[in.Key]; c != nil {
		g.log.Info("an input that was suspected of killing the process was processed alone without harm; it is no suspect any more", "source", in.Source, "name", in.Name)
		g.suspects.remove(c)
	}
	if c := g.suspects.cases[sourceKey(in.Source)]; c != nil && in.Live {
		if c.goodFrames++; c.goodFrames >= trustedAfter {
			g.suspects.remove(c)
		}
	}
}

// trustedAfter of a suspected live source must go well, each alone, before it is trusted again.
const trustedAfter = 250

// Quarantined counts the inputs that are left out.
func (g *Guard) Quarantined() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.quarantine.cases)
}

// Oldest is since when the input that is in native code longest is there; zero: none is.
func (g *Guard) Oldest() (oldest time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, at := range g.inHand {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// Stopping notes that the process is stopping: should it be killed before it has, no input is a suspect.
func (g *Guard) Stopping() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run.Stopping = true
	if err := g.run.write(g.notes); err != nil {
		g.log.Warn("the crash journal could not note that the process stops", telemetry.Err, err)
	}
}

// Close notes a clean end: nothing is in native code any more.
func (g *Guard) Close() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.free {
		s.file.Close()
	}
	g.free = nil
	if g.lock != nil {
		defer g.lock.Close()
	}
	return g.run.end(g.notes)
}
