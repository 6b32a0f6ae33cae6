package crashguard

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
