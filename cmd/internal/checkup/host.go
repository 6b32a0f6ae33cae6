package checkup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a disk should have left.
const (
	leastBytes  = 256 << 20
	fewBytes    = 2 << 30
	leastInodes = 1000
	fewShare    = 0.05
)

// Disk looks at the room where a folder is, or will be.
func Disk(dir string) Finding {
	at := existing(dir)
	var s unix.Statfs_t
	what := "disk of " + dir
	if err := unix.Statfs(at, &s); err != nil {
		return Bad(what, fmt.Errorf("it can't be read: %w", err), "df -h "+at)
	}
	return room(what, at, int64(s.Bavail)*s.Bsize, int64(s.Blocks)*s.Bsize, int64(s.Ffree), int64(s.Files))
}

// room assesses free bytes and inodes; a file system without a number of inodes has none to count.
func room(what, at string, free, all, inodes, allInodes int64) Finding {
	detail := fmt.Sprintf("%.1f of %.1f GB free", float64(free)/1e9, float64(all)/1e9)
	if allInodes > 0 {
		detail += fmt.Sprintf(", %d of %d inodes", inodes, allInodes)
	}
	fix := fmt.Sprintf("du -xh --max-depth=2 %s | sort -h | tail    # find what fills it, or lower outbox.max_bytes", at)
	switch {
	case free < leastBytes || allInodes > 0 && inodes < leastInodes:
		return Bad(what, errors.New(detail+": next to nothing can be kept"), fix)
	case free < fewBytes || allInodes > 0 && float64(inodes) < fewShare*float64(allInodes):
		return Doubtful(what, detail+": it will be full soon", fix)
	}
	return Good(what, detail)
}

// existing is the folder, or the nearest above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			return dir
		}
		dir = above
	}
}

// Folder looks at whether a service can keep what it must keep in a folder, and others can't read it.
// The folder is not made: one made by root would be of no use to the service.
func Folder(what, dir string) Finding {
	what += " " + dir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := unix.Access(existing(dir), unix.W_OK); err != nil {
			return Bad(what, fmt.Errorf("it is missing, and can't be made in %s by this user", existing(dir)), fmt.Sprintf("sudo install -d -m 0750 -o \"$USER\" %s", dir))
		}
		return Good(what, "is missing; it is made at the first start")
	case err != nil:
		return Bad(what, err, "ls -ld "+dir)
	case !info.IsDir():
		return Bad(what, errors.New("it is not a folder"), fmt.Sprintf("mv %s %s.away", dir, dir))
	}
	if err := unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return Bad(what, fmt.Errorf("this user may not write to it: it is of user %d with mode %s", owner(info), info.Mode().Perm()), fmt.Sprintf("sudo chown -R \"$USER\" %s    # or run this as the service's user", dir))
	}
	if info.Mode().Perm()&0o002 != 0 {
		return Doubtful(what, fmt.Sprintf("everybody may write to it (mode %s)", info.Mode().Perm()), "chmod o-w "+dir)
	}
	return Good(what, fmt.Sprintf("writable, of user %d with mode %s", owner(info), info.Mode().Perm()))
}

func owner(info fs.FileInfo) uint32 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Uid
	}
	return 0
}

// Clock looks at whether the kernel's clock is kept by something. Times of items come from it, and a
// certificate is not valid yet where it is years behind.
func Clock() Finding {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Doubtful("clock", fmt.Sprintf("the kernel does not say whether it is kept: %v", err), "timedatectl status")
	}
	return clock(time.Now(), state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0, time.Duration(t.Maxerror)*time.Microsecond)
}

// built is a time that no right clock is before.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func clock(now time.Time, loose bool, off time.Duration) Finding {
	const fix = "sudo timedatectl set-ntp true && timedatectl status    # or: sudo systemctl enable --now chrony"
	said := now.UTC().Format(time.RFC3339)
	switch {
	case now.Before(built):
		return Bad("clock", fmt.Errorf("it says %s, which is past", said), fix)
	case loose:
		return Doubtful("clock", "nothing keeps it: "+said, fix)
	case off > time.Second:
		return Doubtful("clock", fmt.Sprintf("it may be off by %s", off.Round(time.Millisecond)), fix)
	}
	return Good("clock", fmt.Sprintf("%s, off by %s at most", said, off.Round(time.Millisecond)))
}
