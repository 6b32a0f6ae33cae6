package mosaic

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/durable/disktest"
)

// journal keeps what is logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

// over runs a mosaic with those parts beside the log until the test ends.
func (l *log) over(t *testing.T, p Parts) {
	t.Helper()
	p.Queue, p.Products, p.Objects, p.Annotator = l, l, l, annotator{}
	m, err := New(Config{WorkDir: t.TempDir()}, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// nowhere is a Store whose drafts can't be written to while bad says so.
type nowhere struct {
	Folder
	bad   atomic.Bool
	tries atomic.Int32
}

func (n *nowhere) Draft(name string) (Draft, error) {
	d, err := n.Folder.Draft(name)
	if err == nil && n.bad.Load() {
		n.tries.Add(1)
		d.Discard()
	}
	return d, err
}

func TestAPublicationThatFailsForItsOwnSakeEndsWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), &nowhere{Folder: Folder(t.TempDir())}
		out.bad.Store(true)
		l.over(t, Parts{Store: out})
		items := sceneItems(t)
		l.tell(items[1:]...)
		time.Sleep(time.Hour)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || made[0].Complete || made[0].Failed == "" || len(made[0].Files) != 0 || made[0].Scene.Tiles == 0 || len(made[0].Missing) != 1 {
			t.Fatalf("products %+v", made)
		}
		if n := out.tries.Load(); n != recordTries {
			t.Errorf("it was tried %d times, not %d", n, recordTries)
		}
		out.bad.Store(false)
		l.tell(items[0]) // more comes: it is tried again
		time.Sleep(time.Minute)
		synctest.Wait()
		if made = l.made(t); len(made) != 2 || !made[1].Complete || made[1].Failed != "" {
			t.Fatalf("products %+v", made)
		}
	})
}

func TestWhatKafkaDoesNotTakeIsTriedForEverAndEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, tries := newLog(), atomic.Int32{}
		l.announced = func() error { tries.Add(1); return errors.New("Kafka is away") }
		l.run(t, Config{}, t.TempDir())
		l.tell(sceneItems(t)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := tries.Load(); n < 8 || n > 30 {
			t.Errorf("it was tried %d times in an hour", n)
		}
		l.mu.Lock()
		l.announced = nil
		l.mu.Unlock()
		time.Sleep(retryMost + time.Second)
		synctest.Wait()
		if made := l.made(t); len(made) != 1 || !made[0].Complete {
			t.Errorf("products %+v", made)
		}
	})
}

func TestPublicationsWaitForADiskThatTakesNoWrites(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	for _, c := range []struct {
		name        string
		break_, fix func(*disktest.Disk)
	}{
		{"full", func(d *disktest.Disk) { d.Fill(8192) }, (*disktest.Disk).Tidy},
		{"closed to writers", func(d *disktest.Disk) { d.ReadOnly(true) }, func(d *disktest.Disk) { d.ReadOnly(false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disktest.Tmpfs(t, filepath.Join(at, strings.ReplaceAll(c.name, " ", "-")), "32m")
			products := filepath.Join(at, strings.ReplaceAll(c.name, " ", "-"), "products")
			if err := os.Mkdir(products, 0o755); err != nil {
				t.Fatal(err)
			}
			var lines journal
			logger := slog.New(slog.NewTextHandler(&lines, nil))
			disks := disk.NewSet(logger, nil)
			t.Cleanup(disks.Close)
			c.break_(d)
			l := newLog()
			l.over(t, Parts{Store: Folder(products), Disk: disk.Any{disks.Of(products)}, Log: logger})
			l.tell(sceneItems(t)...)
			until(t, "the disk's state", func() bool { return disks.Err() != nil })
			if made := l.made(t); len(made) != 0 {
				t.Errorf("products %+v", made)
			}
			c.fix(d)
			until(t, "the product", func() bool { made := l.made(t); return len(made) == 1 && made[0].Complete })
			for text, n := range map[string]int{"a disk takes no writes": 1, "the disk takes writes again": 1, "could not publish": 0, "level=ERROR": 1} {
				if got := lines.count(text); got != n {
					t.Errorf("%d lines say %q, not %d", got, text, n)
				}
			}
		})
	}
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}
