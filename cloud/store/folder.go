package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gocloud.dev/blob/fileblob"

	"cloudcanvas/shared/durable"
)

// folder writes objects into a folder as fileblob lays them out there, which still reads them, but so
// that a power cut does not take what it said is written. fileblob syncs nothing.
type folder struct {
	root  string
	names durable.Group

	mu    sync.Mutex
	known map[string]bool // folders below root whose own names are on the disk
	swept bool
}

// unfinished is the folder for what is being written. It has a folder of its own, so that what a crash
// leaves is found without a walk through all objects.
const unfinished = ".put"

// maxKnown bounds what is remembered of folders. To forget one costs a sync.
const maxKnown = 10_000

// openFolder makes the folder where it is missing, and reads and lists it with fileblob.
func openFolder(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, err
	}
	return &Store{bucket: bucket, folder: &folder{root: dir, known: map[string]bool{}}}, nil
}

// put writes an object beside its place, brings it to the disk, gives it its name, and brings that to
// the disk with the names of all folders on the way to it.
func (f *folder) put(ctx context.Context, key string, data []byte) error {
	path, err := f.path(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	part, err := f.write(data)
	if err != nil {
		return err
	}
	if err := f.place(part, path); err != nil {
		os.Remove(part)
		return err
	}
	return f.settle(filepath.Dir(path))
}

// write makes a file of its own of data.
func (f *folder) write(data []byte) (path string, err error) {
	at := filepath.Join(f.root, unfinished)
	if err := os.MkdirAll(at, 0o777); err != nil {
		return "", err
	}
	f.sweep(at)
	path = filepath.Join(at, rand.Text())
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path)
	}
	return path, err
}

// place moves a file to its place. Its folder may be removed by others while nothing is in it.
func (f *folder) place(part, path string) (err error) {
	for range 3 {
		if err = os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err = os.Rename(part, path); !os.IsNotExist(err) {
			return err
		}
		f.forget(filepath.Dir(path))
	}
	return err
}

// settle brings the names in a folder to the disk, and its own where that is not known to be there. A
// folder that was there already may have been made by somebody whose sync is still to come.
func (f *folder) settle(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		if err := f.names.Folder(at); err != nil {
			return err
		}
		if at == f.root || f.isKnown(at) {
			break
		}
	}
	f.learn(dir)
	return nil
}

func (f *folder) isKnown(dir string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[dir]
}

// learn remembers that a folder's name is on the disk, and those above it.
func (f *folder) learn(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxKnown {
		clear(f.known)
	}
	for ; dir != f.root && !f.known[dir]; dir = filepath.Dir(dir) {
		f.known[dir] = true
	}
}

// forget no longer relies on a folder and those above it.
func (f *folder) forget(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; dir != f.root && len(dir) > len(f.root); dir = filepath.Dir(dir) {
		delete(f.known, dir)
	}
}

// stale is how old what is unfinished must be before nobody writes it any more.
const stale = time.Hour

// sweep removes, once, what crashed processes left unfinished.
func (f *folder) sweep(at string) {
	f.mu.Lock()
	swept := f.swept
	f.swept = true
	f.mu.Unlock()
	if swept {
		return
	}
	left, _ := os.ReadDir(at)
	for _, e := range left {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > stale {
			os.Remove(filepath.Join(at, e.Name()))
		}
	}
}

// path is where fileblob keeps an object.
func (f *folder) path(key string) (string, error) {
	if !utf8.ValidString(key) || key == "" {
		return "", fmt.Errorf("%q is no key: it must be UTF-8 text", key)
	}
	path := filepath.Join(f.root, escape(key))
	if !strings.HasPrefix(path, strings.TrimSuffix(f.root, "/")+"/") || hidden(key) || strings.HasSuffix(path, ".attrs") {
		return "", fmt.Errorf("%q is no key of a folder: it leads out of it, or to what the store keeps for itself", key)
	}
	return path, nil
}

// hidden says whether a key is of what is unfinished.
func hidden(key string) bool { return key == unfinished || strings.HasPrefix(key, unfinished+"/") }

// escape writes a key as fileblob writes it as a path.
func escape(key string) string {
	var b strings.Builder
	r := []rune(key)
	for i, c := range r {
		switch {
		case c < 32, c == '/' && (i > 0 && r[i-1] == '/' || i > 1 && r[i-1] == '.' && r[i-2] == '.' || i == len(r)-1):
			fmt.Fprintf(&b, "__%#x__", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// durable brings to the disk what a list of keys names: another process may have died between giving
// an object its name and syncing it. The objects themselves were synced before they had a name.
func (f *folder) durable(keys []string) error {
	done := map[string]bool{}
	for _, key := range keys {
		path, err := f.path(key)
		if err != nil {
			continue // others put it there
		}
		for dir := filepath.Dir(path); !done[dir]; dir = filepath.Dir(dir) {
			done[dir] = true
			if err := f.names.Folder(dir); err != nil && !os.IsNotExist(err) {
				return err
			}
			if dir == f.root {
				break
			}
		}
	}
	return nil
}
