package crashguard

import (
	"bytes"
	"os"
	"path/filepath"

	"cloudcanvas/shared/telemetry"
)

// readLastRun holds the last process's end against what it had in hand. All of it can be done again: a
// process that dies within it finds the same notes, and counts none of them twice.
func (l *Guard) readLastRun() error {
	notes, problems := readNotes(l.notes)
	if problems != nil {
		l.log.Warn("notes of inputs in hand can't be read", telemetry.Err, problems)
	}
	last, crash := readRun(l.notes), readCrash(l.notes)
	d := death{how: howItEnded(last, l.run.Boot, crash, l.run.Memory), crash: crash, alone: len(notes) == 1}
	if last != nil {
		d.run = last.ID
		l.last = Death{Run: last.ID, End: string(d.how), Why: d.why()}
	}
	for _, n := range notes {
		if !d.concerns(n) {
			continue
		}
		if d.how.proof() && (d.alone || n.Alone) {
			l.last.Alone = append(l.last.Alone, n.Key)
		}
		if err := l.countDeath(n, d); err != nil {
			return err
		}
	}
	return clearNotes(l.notes)
}

// Death is how the process before this one ended.
type Death struct {
	Run   string   // it called itself so: see Ledger.Life
	End   string   // stopped, power, killed, unknown, panic, memory or crashed
	Why   string   // in a line
	Alone []string // the keys of inputs that it died of: alone in hand, and of itself
}

// death is what is known of it while it is judged.
type death struct {
	how   end
	crash string
	run   string
	alone bool // one input was in hand, no more
}

// concerns says whether a death says anything of an input that was in hand. A kill from outside, a stop
// and a loss of power say nothing; a panic speaks of the goroutine that it happened in.
func (d death) concerns(n note) bool {
	switch d.how {
	case endGo:
		return ofGoroutine(d.crash, n.Goroutine)
	case endUnknown:
		return n.Alone || d.alone
	}
	return d.how.proof()
}

func (d death) why() string {
	switch {
	case d.crash != "":
		return why(d.crash)
	case d.how == endMemory:
		return "the kernel killed the process: no memory was left"
	case d.how == endUnknown:
		return "the process ended without a word, and the kernel does not tell whether for memory"
	}
	return string(d.how)
}

// mostUnknown is how often in a row an input may be alone in hand at an end that nobody can explain.
// Where the kernel counts its kills there are none.
const mostUnknown = 8

// countDeath counts a death against an input, and where it is live against its source too.
func (l *Guard) countDeath(n note, d death) error {
	if l.quarantine.cases[n.Key] != nil {
		return nil // judged before, by a process that died within it
	}
	c := l.suspect(n.Key, n, d.why())
	guilty, err := l.count(c, n, d)
	if err != nil {
		return err
	}
	l.log.Warn("an input was in hand when the process died", "source", c.Source, "name", c.Name, "deaths", c.Deaths, telemetry.Err, c.Why)
	// A camera sends another frame each time. So its bytes are kept at once, and its name is judged
	// as well; but only by crashes.
	if n.Live && d.how == endCrashed {
		if len(n.data) > 0 && c.File == "" && l.room(l.suspects, int64(len(n.data))) {
			if err := l.suspects.keep(c, bytes.NewReader(n.data)); err != nil {
				l.log.Warn("the bytes of a suspect could not be kept", "source", n.Source, telemetry.Err, err)
			}
		}
		source := l.suspect(sourceKey(n.Source), note{Source: n.Source, Live: true}, d.why())
		source.goodFrames = 0
		over, err := l.count(source, n, d)
		if err != nil {
			return err
		}
		if over && !guilty { // with other frames each time: leaving out this one would not help
			guilty = true
			if err := l.rest(source); err != nil {
				return err
			}
		}
	}
	if guilty {
		return l.quarantineCase(c)
	}
	return nil
}

// sourceKey is the identity of a live source, beside those of its frames.
func sourceKey(source string) string { return "source:" + source }

func (l *Guard) suspect(key string, n note, reason string) *Case {
	c := l.suspects.cases[key]
	if c == nil {
		c = &Case{Key: key, Source: n.Source, Name: n.Name, Path: n.Path, What: n.What, Live: n.Live, First: l.now()}
	}
	c.Why = reason
	return c
}

// count adds a death to a case, once for each life, and says whether there are too many: it was in hand
// at so many that the process died of itself, and alone at this one.
func (l *Guard) count(c *Case, n note, d death) (guilty bool, err error) {
	if c.Run != d.run {
		c.Run, c.Last = d.run, l.now()
		c.Deaths++
		if d.how.proof() {
			c.Proven++
		} else {
			c.Unknown++
		}
	}
	alone := n.Alone || d.alone
	return alone && (c.Proven >= l.config.Deaths || c.Unknown >= mostUnknown), l.suspects.put(c)
}

// quarantineCase quarantines a suspect.
func (l *Guard) quarantineCase(c *Case) error {
	l.log.Error("an input is quarantined: it killed the process", "source", c.Source, "name", c.Name, "deaths", c.Deaths, telemetry.Err, c.Why,
		"file", filepath.Join(l.quarantine.path, c.place()+".json"))
	return l.suspects.moveTo(l.quarantine, c)
}

// rest leaves a live source out for a while; after that it is one crash away from resting again.
func (l *Guard) rest(source *Case) error {
	l.resting[source.Source] = l.now().Add(l.config.Rest)
	l.log.Error("a camera's frames killed the process again and again: it rests", "source", source.Source, "for", l.config.Rest, telemetry.Err, source.Why)
	source.Proven = l.config.Deaths - 1
	return l.suspects.put(source)
}

// clearNotes forgets the last life.
func clearNotes(folder string) error {
	paths, err := filepath.Glob(filepath.Join(folder, "slot-*"))
	if err != nil {
		return err
	}
	for _, path := range append(paths, filepath.Join(folder, runFile)) {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
