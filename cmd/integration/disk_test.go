package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk is a small filesystem of its own, on which a device keeps its data.
type disk struct {
	t     testing.TB
	image string // the block device's file; empty: tmpfs
	at    string
}

// mountTmpfs gives a filesystem of so many bytes that can be full.
func mountTmpfs(t testing.TB, at, size string) *disk {
	t.Helper()
	d := &disk{t: t, at: at}
	d.prepare()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", at).CombinedOutput(); err != nil {
		t.Skipf("a tmpfs can't be mounted here: %v: %s", err, out)
	}
	t.Cleanup(d.unmount)
	return d
}

// mountExt4 gives an ext4 on a loop device, whose power can be cut.
func mountExt4(t testing.TB, at string) *disk {
	t.Helper()
	d := &disk{t: t, at: at, image: at + ".img"}
	d.prepare()
	for _, args := range [][]string{{"truncate", "-s", "256M", d.image}, {"mkfs.ext4", "-q", "-F", d.image}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("an ext4 can't be made here: %v: %s", err, out)
		}
	}
	if err := d.mount(); err != nil {
		t.Skipf("an ext4 can't be mounted on a loop device here: %v", err)
	}
	t.Cleanup(d.unmount)
	return d
}

func (d *disk) prepare() {
	d.t.Helper()
	if os.Getuid() != 0 {
		d.t.Skip("only root may mount a filesystem of its own")
	}
	if err := os.MkdirAll(d.at, 0o700); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) mount() error { return exec.Command("mount", "-o", "loop", d.image, d.at).Run() }

func (d *disk) unmount() { exec.Command("umount", "-l", d.at).Run() }

// shutdown is ext4's and xfs's FS_IOC_SHUTDOWN, with which xfstests simulates power cuts.
const (
	shutdownRequest = 0x8004587D
	noLogFlush      = 2
)

// cutPower ends the filesystem at once: nothing that is not on the disk yet gets there, neither data
// nor journal, and everyone who uses it sees I/O errors.
func (d *disk) cutPower() {
	d.t.Helper()
	f, err := os.Open(d.at)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	flags := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(unix.SYS_IOCTL, f.Fd(), shutdownRequest, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		d.t.Skipf("this filesystem's power can't be cut: %v", errno)
	}
}

// replug mounts it again, as after a reboot: the journal is replayed.
func (d *disk) replug() {
	d.t.Helper()
	until(d.t, 2*time.Minute, "a filesystem that lets go", func() bool { return exec.Command("umount", d.at).Run() == nil })
	if err := d.mount(); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) others() string { return filepath.Join(d.at, "others") }

// tidy gives the room back that fill took.
func (d *disk) tidy() {
	d.t.Helper()
	if err := os.Remove(d.others()); err != nil {
		d.t.Fatal(err)
	}
}

// fill takes all the room but so many bytes, as other programs do.
func (d *disk) fill(leave int64) {
	d.t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(d.at, &s); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.Create(d.others())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(s.Bavail)*s.Bsize-leave); err != nil {
		d.t.Fatal(err)
	}
}
