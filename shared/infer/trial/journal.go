package trial

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// Journal is what is known of trials on this machine: a folder with a file for each. The zero Journal keeps
// nothing.
type Journal struct{ Dir string }

// Entry is one trial: of one file, in one engine, as far as Key tells one from another (libraries, machine,
// what goes in).
type Entry struct {
	Model   string    `json:"model"`
	Version string    `json:"version"`
	SHA256  string    `json:"sha256"`
	Engine  string    `json:"engine"`
	Key     string    `json:"key"`
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`

	Boot  string `json:"boot"` // of the machine, when it began …
	PID   int    `json:"pid"`  // … and by whom
	Began string `json:"began"`
	Cut   int    `json:"cut,omitempty"` // how often the machine, or the process, went down meanwhile
}

// Outcome is how a trial ended.
type Outcome string

const (
	UnderWay Outcome = "under way"
	Passed   Outcome = "passed"
	Refused  Outcome = "refused"
)

// A trial that was not survived may have been cut off by a loss of power, or by a person who killed the
// program; one that was not survived so many times was not.
const (
	mostCut  = 2 // by the machine
	mostDied = 3 // by the process, which tries models in a child and seldom dies of one
)

// kept is how many trials are remembered.
const kept = 512

// Path is the file that an entry is kept in.
func (l Journal) Path(e Entry) string {
	sum := sha256.Sum256([]byte(e.SHA256 + "\n" + e.Engine + "\n" + e.Key))
	return filepath.Join(l.Dir, hex.EncodeToString(sum[:12])+".tried")
}

// Find says what is known of a trial; Outcome is empty where it is to be made. One that was under way each
// time that its process or its machine went down is Refused in the end: it may be what takes them down.
func (l Journal) Find(e Entry) Entry {
	was, ok := l.read(e)
	if !ok || was.Outcome != UnderWay {
		return was
	}
	wentOn := was.Boot != "" && was.Boot == boot() // the machine
	switch cut := was.Cut + 1; {
	case wentOn && was.Began != "" && was.Began == began(was.PID):
		return Entry{} // another process tries it just now
	case wentOn && cut < mostDied, !wentOn && cut < mostCut:
		return Entry{Cut: cut}
	case wentOn:
		was.Outcome, was.Reason = Refused, fmt.Sprintf("the program died %d times while it was on trial", cut)
	default:
		was.Outcome, was.Reason = Refused, fmt.Sprintf("the machine went down %d times while it was on trial", cut)
	}
	l.write(was)
	return was
}

func (l Journal) read(e Entry) (was Entry, ok bool) {
	if l.Dir == "" {
		return was, false
	}
	data, err := os.ReadFile(l.Path(e))
	if err != nil || len(data) > 1<<16 || json.Unmarshal(data, &was) != nil || was.SHA256 != e.SHA256 || was.Engine != e.Engine {
		return Entry{}, false
	}
	return was, true
}

// Begin writes down that a trial is about to be made. It is on disk when Begin returns.
func (l Journal) Begin(e Entry) error {
	e.Outcome, e.Boot, e.PID, e.Began = UnderWay, boot(), os.Getpid(), began(os.Getpid())
	return l.write(e)
}

// Settle writes down how a trial ended.
func (l Journal) Settle(e Entry, o Outcome, reason string) error {
	e.Outcome, e.Reason = o, reason
	return l.write(e)
}

// Drop forgets a trial that says nothing: it was given up, or the engine is not here.
func (l Journal) Drop(e Entry) {
	if l.Dir != "" {
		os.Remove(l.Path(e))
	}
}

func (l Journal) write(e Entry) error {
	if l.Dir == "" {
		return nil
	}
	e.At = time.Now().UTC().Truncate(time.Second)
	data, err := json.Marshal(e)
	if err == nil {
		err = os.MkdirAll(l.Dir, 0o755)
	}
	if err == nil {
		err = renameio.WriteFile(l.Path(e), data, 0o600)
	}
	if err == nil {
		err = syncFolder(l.Dir)
	}
	if err != nil {
		return fmt.Errorf("writing down the trial of %s in %s: %w", e.Model, e.Engine, err)
	}
	l.tidy()
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// tidy removes the oldest where there are too many.
func (l Journal) tidy() {
	files, _ := filepath.Glob(filepath.Join(l.Dir, "*.tried"))
	if len(files) <= kept {
		return
	}
	age := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(files, func(a, b string) int { return int(min(max(age(a)-age(b), -1), 1)) })
	for _, path := range files[:len(files)-kept] {
		os.Remove(path)
	}
}
