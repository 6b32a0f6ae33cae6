package auth

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/telemetry"
)

// Act is what somebody did with something. audit.jsonl in the console's folder has one a line; it is
// only ever appended to.
type Act struct {
	Time   time.Time `json:"time"`
	Who    string    `json:"who"`
	Action string    `json:"action"` // replay, discard, canary, promote, rollback, log in …; with Failed where it did
	What   string    `json:"what"`   // canvas.dlq-0@17 of a time, or model ukis
	Detail string    `json:"detail,omitempty"`
}

// Failed ends the action of an act that was tried and failed: what it was about is open again.
const Failed = " failed"

// keptActs is how many acts are kept in memory to be shown.
const keptActs = 10_000

// Disk knows of the disk under the audit whether it made a write fail.
type Disk interface{ Blames(err error) bool }

// Audit is what operators did. One that can't be written refuses what they want to do.
type Audit struct {
	mu   sync.Mutex
	file *os.File
	disk Disk
	acts []Act // the oldest first
	by   map[string]Act
}

// OpenAudit reads what was done before. A line that a crash has cut off is skipped.
func OpenAudit(dir string, on Disk, log *slog.Logger) (*Audit, error) {
	path := filepath.Join(dir, "audit.jsonl")
	a := &Audit{by: map[string]Act{}, disk: on}
	old, err := os.Open(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	if err == nil {
		defer old.Close()
		lines := bufio.NewScanner(old)
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			var act Act
			if err := json.Unmarshal(lines.Bytes(), &act); err != nil {
				log.Warn("the console can't read a line of its audit and skips it", "file", path, telemetry.Err, err)
				continue
			}
			a.remember(act)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read the audit %s: %w", path, err)
		}
	}
	if a.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open the audit: %w", err)
	}
	if err := durable.SyncFolder(dir); err != nil {
		return nil, fmt.Errorf("open the audit: %w", err)
	}
	return a, a.endLine()
}

// endLine ends a last line that a crash has cut off, so that the next one stands by itself.
func (a *Audit) endLine() error {
	info, err := a.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	var last [1]byte
	if _, err := a.file.ReadAt(last[:], info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = a.file.Write([]byte{'\n'})
	return err
}

// Write adds an act. It is on the disk when Write returns.
func (a *Audit) Write(act Act) error {
	line, err := json.Marshal(act)
	if err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.append(append(line, '\n')); err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	a.remember(act)
	return nil
}

// append writes a line, or leaves the file as it was: a full disk may have taken a piece of it, and what
// was not synced must not be read as done.
func (a *Audit) append(line []byte) error {
	before, err := a.file.Stat()
	if err != nil {
		return err
	}
	if _, err = a.file.Write(line); err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		a.disk.Blames(err)
		return errors.Join(err, a.file.Truncate(before.Size()))
	}
	return nil
}

func (a *Audit) remember(act Act) {
	a.acts = append(a.acts, act)
	if a.by[act.What] = act; strings.HasSuffix(act.Action, Failed) {
		delete(a.by, act.What)
	}
	if len(a.acts) > keptActs {
		if old := a.acts[0]; a.by[old.What] == old {
			delete(a.by, old.What)
		}
		a.acts = a.acts[1:]
	}
}

// Of is what was done with something last, or nil.
func (a *Audit) Of(what string) *Act {
	a.mu.Lock()
	defer a.mu.Unlock()
	if act, ok := a.by[what]; ok {
		return &act
	}
	return nil
}

// LastOf are the acts that were the last about something, of these actions.
func (a *Audit) LastOf(actions ...string) (acts []Act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, act := range a.by {
		if slices.Contains(actions, act.Action) {
			acts = append(acts, act)
		}
	}
	return acts
}

// Latest are the last n acts, the newest first.
func (a *Audit) Latest(n int) []Act {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.acts[max(0, len(a.acts)-n):])
	slices.Reverse(out)
	return out
}

// About are the last n acts about what begins so, the newest first.
func (a *Audit) About(prefix string, n int) (out []Act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, act := range slices.Backward(a.acts) {
		if len(out) == n {
			break
		}
		if strings.HasPrefix(act.What, prefix) {
			out = append(out, act)
		}
	}
	return out
}

// Close closes the file.
func (a *Audit) Close() error { return a.file.Close() }
