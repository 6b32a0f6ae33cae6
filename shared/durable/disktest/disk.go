// Package disktest gives tests a small filesystem of their own that can be full, closed to writers, or
// lose its power.
package disktest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Disk is a filesystem of its own, mounted at a folder.
type Disk struct {
	t     testing.TB
	image string // the block device's file; empty: tmpfs
	at    string
}

// Tmpfs mounts a filesystem of so many bytes that can be full, or skips the test with the reason.
func Tmpfs(t testing.TB, at, size string) *Disk {
	t.Helper()
	d := &Disk{t: t, at: at}
	d.prepare()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", at).CombinedOutput(); err != nil {
		t.Skipf("a tmpfs can't be mounted here: %v: %s", err, out)
	}
	t.Cleanup(d.unmount)
	return d
}

// Ext4 mounts an ext4 on a loop device, whose power can be cut, or skips the test with the reason.
func Ext4(t testing.TB, at string) *Disk {
	t.Helper()
	d := &Disk{t: t, at: at, image: at + ".img"}
	d.prepare()
	for _, args := range [][]string{{"truncate", "-s", "256M", d.image}, {"mkfs.ext4", "-q", "-F", d.image}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("an ext4 can't be made here: %v: %s", err, out)
		}
	}
	if out, err := d.mount(); err != nil {
		t.Skipf("an ext4 can't be mounted on a loop device here: %v: %s", err, out)
	}
	t.Cleanup(d.unmount)
	return d
}

func (d *Disk) prepare() {
	d.t.Helper()
	if os.Getuid() != 0 {
		d.t.Skip("only root may mount a filesystem of its own")
	}
	if err := os.MkdirAll(d.at, 0o700); err != nil {
		d.t.Fatal(err)
	}
}

func (d *Disk) mount() ([]byte, error) {
	return exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput()
}

func (d *Disk) unmount() { exec.Command("umount", "-l", d.at).Run() }

// shutdown is ext4's and xfs's FS_IOC_SHUTDOWN, with which xfstests simulates power cuts.
const (
	shutdownRequest = 0x8004587D
	noLogFlush      = 2
)

// CutPower ends the filesystem at once: nothing that is not on the disk yet gets there, neither data
// nor journal, and everyone who uses it sees I/O errors.
func (d *Disk) CutPower() {
	d.t.Helper()
	f, err := os.Open(d.at)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	flags := uint32(noLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdownRequest, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		d.t.Skipf("this filesystem's power can't be cut: %v", errno)
	}
}

// Replug mounts it again, as after a reboot: the journal is replayed. Nobody may have a file of it open
// for longer than two minutes.
func (d *Disk) Replug() {
	d.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command("umount", d.at).CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			d.t.Fatalf("somebody holds on to the filesystem: %v: %s", err, out)
		}
	}
	if out, err := d.mount(); err != nil {
		d.t.Fatalf("mounting it again: %v: %s", err, out)
	}
}

// ReadOnly closes it to writers, as the kernel does after an I/O error, or opens it again.
func (d *Disk) ReadOnly(closed bool) {
	d.t.Helper()
	mode := "remount,rw"
	if closed {
		mode = "remount,ro"
	}
	if out, err := exec.Command("mount", "-o", mode, d.at).CombinedOutput(); err != nil {
		d.t.Fatalf("mount -o %s: %v: %s", mode, err, out)
	}
}

func (d *Disk) others() string { return filepath.Join(d.at, "others") }

// Fill takes all the room but so many bytes, as other programs do, whoever else writes meanwhile.
func (d *Disk) Fill(leave int64) {
	d.t.Helper()
	f, err := os.Create(d.others())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := int64(0); ; {
		var s unix.Statfs_t
		if err := unix.Statfs(d.at, &s); err != nil {
			d.t.Fatal(err)
		}
		more := min(int64(s.Bavail)*s.Bsize-leave, 1<<20) // in pieces: one that fails is taken back whole
		if more < 4096 {
			return
		}
		if err := unix.Fallocate(int(f.Fd()), 0, size, more); errors.Is(err, unix.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
		size += more
	}
}

// Tidy gives the room back that Fill took.
func (d *Disk) Tidy() {
	d.t.Helper()
	if err := os.Remove(d.others()); err != nil {
		d.t.Fatal(err)
	}
}
