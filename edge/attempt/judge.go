package attempt

import (
	"bytes"
	"os"
	"path/filepath"
)

// judge holds the last process's end against what it had in hand. All of it can be done again: a
// process that dies within it finds the same notes, and counts none of them twice.
func (l *Ledger) judge() error {
	notes, problems := readNotes(l.notes)
	if problems != nil {
		l.log.Warn("notes of inputs in hand can't be read", "problem", problems)
	}
	last, crash := readLife(l.notes), readCrash(l.notes)
	how := howItEnded(last, l.life.Boot, crash)
	if how.weight() > 0 {
		for _, n := range notes {
			if err := l.hold(n, how, last.ID, crash); err != nil {
				return err
			}
		}
	}
	return clearNotes(l.notes)
}

// hold counts a death against an input, and where it is live against its source too.
func (l *Ledger) hold(n note, how end, life, crash string) error {
	if l.quarantine.cases[n.Key] != nil {
		return nil // judged before, by a process that died within it
	}
	reason := "the process ended without a word: SIGKILL, no memory left, or exit()"
	if crash != "" {
		reason = why(crash)
	}
	c := l.suspect(n.Key, n, reason)
	guilty, err := l.count(c, how, life)
	if err != nil {
		return err
	}
	l.log.Warn("an input was in hand when the process died", "source", c.Source, "name", c.Name, "deaths", c.Deaths, "problem", c.Why)
	// A camera sends another frame each time. So its bytes are kept at once, and its name is judged
	// as well; but only by crashes: with a frame in hand at any moment, two SIGKILLs would convict it.
	if n.Live && how == endCrashed {
		if len(n.data) > 0 && c.File == "" && l.room(l.suspects, int64(len(n.data))) {
			if err := l.suspects.keep(c, bytes.NewReader(n.data)); err != nil {
				l.log.Warn("the bytes of a suspect could not be kept", "source", n.Source, "problem", err)
			}
		}
		source := l.suspect(sourceKey(n.Source), note{Source: n.Source, Live: true}, reason)
		source.calm = 0
		over, err := l.count(source, how, life)
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
		return l.convict(c)
	}
	return nil
}

// sourceKey is the identity of a live source, beside those of its frames.
func sourceKey(source string) string { return "source:" + source }

func (l *Ledger) suspect(key string, n note, reason string) *Case {
	c := l.suspects.cases[key]
	if c == nil {
		c = &Case{Key: key, Source: n.Source, Name: n.Name, Path: n.Path, What: n.What, Live: n.Live, First: l.now()}
	}
	c.Why = reason
	return c
}

// count adds a death to a case, once for each life, and says whether there are too many.
func (l *Ledger) count(c *Case, how end, life string) (guilty bool, err error) {
	if c.Life != life {
		c.Life, c.Last = life, l.now()
		c.Deaths++
		c.Weight += how.weight()
	}
	return c.Weight >= full*l.config.Deaths, l.suspects.put(c)
}

// convict quarantines a suspect.
func (l *Ledger) convict(c *Case) error {
	l.log.Error("an input is quarantined: it killed the process", "source", c.Source, "name", c.Name, "deaths", c.Deaths, "problem", c.Why,
		"file", filepath.Join(l.quarantine.path, c.place()+".json"))
	return l.suspects.moveTo(l.quarantine, c)
}

// rest leaves a live source out for a while; after that it is one crash away from resting again.
func (l *Ledger) rest(source *Case) error {
	l.resting[source.Source] = l.now().Add(l.config.Rest)
	l.log.Error("a camera's frames killed the process again and again: it rests", "source", source.Source, "for", l.config.Rest, "problem", source.Why)
	source.Weight = full * (l.config.Deaths - 1)
	return l.suspects.put(source)
}

// clearNotes forgets the last life.
func clearNotes(folder string) error {
	paths, err := filepath.Glob(filepath.Join(folder, "slot-*"))
	if err != nil {
		return err
	}
	for _, path := range append(paths, filepath.Join(folder, lifeFile)) {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
