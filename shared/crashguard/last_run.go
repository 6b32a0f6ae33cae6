package crashguard

import (
	"bytes"
	"os"
	"path/filepath"

	"cloudcanvas/shared/telemetry"
)

// readLastRun counts the last process's end for what it had in native code. All of it can be done again: a
// process that dies within it finds the same notes, and counts none of them twice.
func (g *Guard) readLastRun() error {
	notes, problems := readNotes(g.notes)
	if problems != nil {
		g.log.Warn("the crash journal can't read some notes of inputs that were being processed when the process died", telemetry.Err, problems)
	}
	last, crash := readRun(g.notes), readCrash(g.notes)
	d := death{how: howItEnded(last, g.run.Boot, crash, g.run.Memory), crash: crash, alone: len(notes) == 1}
	if last != nil {
		d.run = last.ID
		g.last = Death{Run: last.ID, End: string(d.how), Why: d.why()}
	}
	for _, n := range notes {
		if !d.concerns(n) {
			continue
		}
		if d.how.proof() && (d.alone || n.Alone) {
			g.last.Alone = append(g.last.Alone, n.Key)
		}
		if err := g.countDeath(n, d); err != nil {
			return err
		}
	}
	return clearNotes(g.notes)
}

// Death is how the process before this one ended.
type Death struct {
	Run   string   // its id: see Guard.RunID
	End   string   // stopped, power, killed, unknown, panic, memory or crashed
	Why   string   // in a line
	Alone []string // the keys of inputs that it died of: alone in native code, and of itself
}

// death is what is known of it while it is evaluated.
type death struct {
	how   end
	crash string
	run   string
	alone bool // one input was in native code, no more
}

// concerns says whether a death counts for an input that was in native code. A kill from outside, a stop
// and a loss of power do not; a panic counts for the goroutine that it happened in.
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
		return "the process ended without a crash report, and the kernel does not show whether it was killed for memory"
	}
	return string(d.how)
}

// mostUnknown is how often in a row an input may be alone in native code at an end that nobody can explain.
// Where the kernel counts its kills there are none.
const mostUnknown = 8

// countDeath counts a death for an input, and where it is live for its source too.
func (g *Guard) countDeath(n note, d death) error {
	if g.quarantine.cases[n.Key] != nil {
		return nil // counted before, by a process that died while it did so
	}
	c := g.suspect(n.Key, n, d.why())
	quarantine, err := g.count(c, n, d)
	if err != nil {
		return err
	}
	g.log.Warn("an input was being processed when the process died", "source", c.Source, "name", c.Name, "deaths", c.Deaths, telemetry.Err, c.Why)
	// A camera sends another frame each time. So its bytes are kept at once, and crashes count for
	// the camera as well.
	if n.Live && d.how == endCrashed {
		if len(n.data) > 0 && c.File == "" && g.room(g.suspects, int64(len(n.data))) {
			if err := g.suspects.keep(c, bytes.NewReader(n.data)); err != nil {
				g.log.Warn("the bytes of a suspected input could not be kept", "source", n.Source, telemetry.Err, err)
			}
		}
		source := g.suspect(sourceKey(n.Source), note{Source: n.Source, Live: true}, d.why())
		source.goodFrames = 0
		over, err := g.count(source, n, d)
		if err != nil {
			return err
		}
		if over && !quarantine { // with other frames each time: skipping this one would not help
			quarantine = true
			if err := g.rest(source); err != nil {
				return err
			}
		}
	}
	if quarantine {
		return g.quarantineCase(c)
	}
	return nil
}

// sourceKey is the identity of a live source, beside those of its frames.
func sourceKey(source string) string { return "source:" + source }

func (g *Guard) suspect(key string, n note, reason string) *Case {
	c := g.suspects.cases[key]
	if c == nil {
		c = &Case{Key: key, Source: n.Source, Name: n.Name, Path: n.Path, What: n.What, Live: n.Live, First: g.now()}
	}
	c.Why = reason
	return c
}

// count adds a death to a case, once for each run, and says whether there are too many: it was in native code
// at so many that the process died of itself, and alone at this one.
func (g *Guard) count(c *Case, n note, d death) (tooMany bool, err error) {
	if c.Run != d.run {
		c.Run, c.Last = d.run, g.now()
		c.Deaths++
		if d.how.proof() {
			c.Proven++
		} else {
			c.Unknown++
		}
	}
	alone := n.Alone || d.alone
	return alone && (c.Proven >= g.config.Deaths || c.Unknown >= mostUnknown), g.suspects.put(c)
}

// quarantineCase quarantines a suspect.
func (g *Guard) quarantineCase(c *Case) error {
	g.log.Error("an input is quarantined, since it killed the process again and again", "source", c.Source, "name", c.Name, "deaths", c.Deaths, telemetry.Err, c.Why,
		"file", filepath.Join(g.quarantine.path, c.place()+".json"))
	return g.suspects.moveTo(g.quarantine, c)
}

// rest skips a live source for a while; after that it is one crash away from resting again.
func (g *Guard) rest(source *Case) error {
	g.resting[source.Source] = g.now().Add(g.config.Rest)
	g.log.Error("a camera's frames killed the process again and again; the camera rests", "source", source.Source, "for", g.config.Rest, telemetry.Err, source.Why)
	source.Proven = g.config.Deaths - 1
	return g.suspects.put(source)
}

// clearNotes forgets the last run.
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
