package crashguard

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// maxProcesses bounds the processes of one role that share a folder on one machine.
const maxProcesses = 256

// OpenFree opens the first journal in dir that no running process of that role has: <role>-0, <role>-1 …
// So a process that starts again finds what the one before it left, and several on one machine don't
// meet. Notes are kept beside it: a container's memory would be gone with it.
func OpenFree(dir, role string, c Config, log *slog.Logger) (*Guard, error) {
	for n := range maxProcesses {
		place := filepath.Join(dir, fmt.Sprintf("%s-%d", role, n))
		if err := os.MkdirAll(place, 0o700); err != nil {
			return nil, fmt.Errorf("open the crash journal %s: %w; name a folder that this user may write to in attempts.folder", place, err)
		}
		lock, err := os.OpenFile(filepath.Join(place, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the crash journal %s: %w; name a folder that this user may write to in attempts.folder", place, err)
		}
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			lock.Close()
			continue
		}
		if err != nil {
			lock.Close()
			return nil, fmt.Errorf("lock the crash journal %s: %w", place, err)
		}
		if c.Notes == "" {
			c.Notes = filepath.Join(place, "notes")
		} else {
			c.Notes = filepath.Join(c.Notes, filepath.Base(place))
		}
		g, err := Open(place, c, log)
		if err != nil {
			lock.Close()
			return nil, err
		}
		g.lock = lock
		return g, nil
	}
	return nil, fmt.Errorf("open a crash journal in %s: %d processes have one already", dir, maxProcesses)
}

// Panic is a panic that was kept from ending the process, as an error.
type Panic struct {
	Value any
	Stack string // its first lines, of where it happened
}

func (p *Panic) Error() string { return fmt.Sprintf("it panicked: %v (%s)", p.Value, p.Stack) }

// Shield runs do and turns a panic into an error that is a *Panic. What a record or a picture makes a
// program do wrong is that one's fate, not the process's; the caller reports it and counts it.
func Shield(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Panic{Value: r, Stack: firstLines()}
		}
	}()
	return do()
}

// stackLines of a stack say where a panic was.
const stackLines = 4

// firstLines are the functions from the panic's own on, with their lines: "scene.go:27 Add < …".
func firstLines() string {
	var lines []string
	var room [64]uintptr
	frames := runtime.CallersFrames(room[:runtime.Callers(3, room[:])]) // without this one and the recovery
	for {
		frame, more := frames.Next()
		if frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime.") {
			lines = append(lines, fmt.Sprintf("%s:%d %s", filepath.Base(frame.File), frame.Line, frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]))
		}
		if !more || len(lines) == stackLines {
			return strings.Join(lines, " < ")
		}
	}
}
