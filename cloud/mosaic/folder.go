package mosaic

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"cloudcanvas/shared/durable"
)

// Folder is a Store in a local folder.
type Folder string

// Draft begins a product in a hidden folder beside its place, so that it can be moved there.
func (f Folder) Draft(name string) (Draft, error) {
	place := filepath.Join(string(f), filepath.FromSlash(name))
	parent := filepath.Dir(place)
	if err := durable.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder for product %s: %w; choose an output folder that can be written", name, err)
	}
	dir, err := os.MkdirTemp(parent, ".draft-")
	if err != nil {
		return nil, fmt.Errorf("beginning product %s: %w; choose an output folder that can be written", name, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("beginning product %s: %w", name, err)
	}
	return &folderDraft{dir: dir, place: place}, nil
}

type folderDraft struct{ dir, place string }

func (d *folderDraft) Dir() string { return d.dir }
func (d *folderDraft) Discard()    { os.RemoveAll(d.dir) }

// Commit moves the whole folder when there is none yet. Else each file takes the place of its
// forerunner, what says that the product is there (item.json) last. All of it is on the disk when it
// returns: then the product is announced, and what it was made of is never read again.
func (d *folderDraft) Commit(ctx context.Context) error {
	if err := durable.SyncTree(d.dir); err != nil {
		return fmt.Errorf("writing a product to %s: %w", d.place, err)
	}
	err := os.Rename(d.dir, d.place)
	if err == nil {
		return d.settled(filepath.Dir(d.place))
	}
	if stat, e := os.Stat(d.place); e != nil || !stat.IsDir() {
		return fmt.Errorf("moving a product to %s: %w", d.place, err)
	}
	files, err := filesOf(d.dir)
	if err != nil {
		return fmt.Errorf("listing a draft: %w", err)
	}
	slices.SortStableFunc(files, func(a, b string) int { return last(a) - last(b) })
	for _, name := range files {
		to := filepath.Join(d.place, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("moving a product to %s: %w", d.place, err)
		}
		if err := os.Rename(filepath.Join(d.dir, name), to); err != nil {
			return fmt.Errorf("moving a product to %s: %w", d.place, err)
		}
	}
	if err := d.settledTree(files); err != nil {
		return err
	}
	d.Discard()
	return ctx.Err()
}

// settledTree brings the new names of files to the disk.
func (d *folderDraft) settledTree(files []string) error {
	folders := map[string]bool{d.place: true}
	for _, name := range files {
		for at := filepath.Dir(name); at != "."; at = filepath.Dir(at) {
			folders[filepath.Join(d.place, at)] = true
		}
	}
	for dir := range folders {
		if err := d.settled(dir); err != nil {
			return err
		}
	}
	return nil
}

func (d *folderDraft) settled(dir string) error {
	if err := durable.SyncFolder(dir); err != nil {
		return fmt.Errorf("moving a product to %s: %w", d.place, err)
	}
	return nil
}

func last(name string) int {
	if name == "item.json" {
		return 1
	}
	return 0
}

// filesOf are the files below dir, relative and in order.
func filesOf(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	})
	return names, err
}

// writeFile writes through f and says whether all of it arrived.
func writeFile(path string, write func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
