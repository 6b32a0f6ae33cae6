package outbox

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"cloudcanvas/shared/telemetry"

	"golang.org/x/sys/unix"
)

// ballast is a file that holds room back: on a full disk it is thrown off, so that what was received
// can still be deleted and drops be written down.
type ballast struct {
	path  string
	bytes int64
}

// keep makes the ballast where it is missing and the disk has room for it twice over, and says
// whether it is there.
func (b ballast) keep(log *slog.Logger) bool {
	if b.bytes == 0 {
		return true
	}
	if info, err := os.Stat(b.path); err == nil && info.Size() == b.bytes {
		return true
	}
	var disk unix.Statfs_t
	if unix.Statfs(filepath.Dir(b.path), &disk) != nil || int64(disk.Bavail)*disk.Bsize < 2*b.bytes {
		return false
	}
	f, err := os.Create(b.path)
	if err == nil {
		if err = unix.Fallocate(int(f.Fd()), 0, 0, b.bytes); errors.Is(err, unix.EOPNOTSUPP) {
			_, err = f.Write(make([]byte, b.bytes))
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		os.Remove(b.path)
		log.Warn("room for a full disk could not be held back", "file", b.path, "bytes", b.bytes, telemetry.Err, err)
		return false
	}
	return true
}

// drop gives the room back, and says whether there was any.
func (b ballast) drop(log *slog.Logger) bool {
	if os.Remove(b.path) != nil {
		return false
	}
	log.Error("the disk is full: the room that was held back is given up; what is worth least is dropped", "file", b.path, "bytes", b.bytes)
	return true
}

func isENOSPC(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
