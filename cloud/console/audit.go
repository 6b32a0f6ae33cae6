package console

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

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/telemetry"
)

// Act is what somebody did with something. audit.jsonl in the console's folder has one a line; it is
// only ever appended to.
type Act struct {
	Time   time.Time `json:"time"`
	Who    string    `json:"who"`
	Action string    `json:"action"` // replay, discard, canary, promote, rollback, log in …; with "failed" where it did
	What   string    `json:"what"`   // canvas.dlq-0@17 of a time, or model ukis
	Detail string    `json:"detail,omitempty"`
}

// recent is how many acts are kept in memory to be shown.
const recent = 10_000

type audit struct {
	mu   sync.Mutex
	file *os.File
	disk index.Disk
	acts []Act // the oldest first
	by   map[string]Act
}

// openAudit reads what was done before. A line that a crash has cut off is passed over.
func openAudit(dir string, log *slog.Logger) (*audit, error) {
	path := filepath.Join(dir, "audit.jsonl")
	a := &audit{by: map[string]Act{}, disk: noDisk{}}
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
				log.Warn("a line of the audit can't be read", "file", path, telemetry.Err, err)
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
func (a *audit) endLine() error {
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

// write adds an act. It is on the disk when write returns.
func (a *audit) write(act Act) error {
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
func (a *audit) append(line []byte) error {
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

func (a *audit) remember(act Act) {
	a.acts = append(a.acts, act)
	if a.by[act.What] = act; act.Action == actFailed || act.Action == actDiscard+" failed" {
		delete(a.by, act.What)
	}
	if len(a.acts) > recent {
		if old := a.acts[0]; a.by[old.What] == old {
			delete(a.by, old.What)
		}
		a.acts = a.acts[1:]
	}
}

// of is what was done with something last, or nil.
func (a *audit) of(what string) *Act {
	a.mu.Lock()
	defer a.mu.Unlock()
	if act, ok := a.by[what]; ok {
		return &act
	}
	return nil
}

// decisions are what was done about letters last, one for each.
func (a *audit) decisions() (acts []Act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, act := range a.by {
		if act.Action == actReplay || act.Action == actDiscard {
			acts = append(acts, act)
		}
	}
	return acts
}

// latest are the last n acts, the newest first.
func (a *audit) latest(n int) []Act {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.acts[max(0, len(a.acts)-n):])
	slices.Reverse(out)
	return out
}

// about are the last n acts about what begins so, the newest first.
func (a *audit) about(prefix string, n int) (out []Act) {
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

func (a *audit) close() error { return a.file.Close() }
