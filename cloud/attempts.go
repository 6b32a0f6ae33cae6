package cloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/telemetry"
)

// openAttempts gives the process's journal of attempts, and what to call when the role has ended. Where it was given
// one, it is another's to close.
func (c *Cloud) openAttempts(ctx context.Context, role string) (l *crashguard.Guard, done func(), err error) {
	if c.Attempts != nil {
		return c.Attempts, func() {}, nil
	}
	config := c.Config.Attempts
	l, err = crashguard.OpenFree(config.Folder, role, config.Config, c.Log)
	if err != nil {
		instead := filepath.Join(os.TempDir(), fmt.Sprintf("canvas-attempts-%d", os.Getuid()))
		c.Log.Warn("the journal of attempts can't be kept where it should be, and is kept in a temporary folder: a record that kills this process may not be known as such after the machine or container begins anew",
			"folder", instead, telemetry.Err, err)
		if err := ours(instead); err != nil {
			return nil, nil, err
		}
		if l, err = crashguard.OpenFree(instead, role, config.Config, c.Log); err != nil {
			return nil, nil, err
		}
	}
	stop := context.AfterFunc(ctx, l.Stopping)
	return l, func() {
		stop()
		if err := l.Close(); err != nil {
			c.Log.Warn("the journal of attempts was not closed in good order", telemetry.Err, err)
		}
	}, nil
}

// ours makes a folder where everyone may write, and refuses one that another has made there.
func ours(folder string) error {
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a folder for attempts: %w; name one in attempts.folder", err)
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return fmt.Errorf("make a folder for attempts: %w; name one in attempts.folder", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not this user's folder; name one in attempts.folder", folder)
	}
	return nil
}
