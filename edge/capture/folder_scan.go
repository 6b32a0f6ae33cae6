package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/raster"
)

// scenePatterns are the names that are taken for scenes where none are configured. A compressed tar can't be
// read as it is: it fails with what to do.
var scenePatterns = []string{"*.tif", "*.tiff", "*.jp2", "*.zip", "*.tar", "*.tar.gz", "*.tgz", "*.safe"}

const (
	// maxFolderFiles bounds what is scanned of one folder; products have some hundred files.
	maxFolderFiles = 20_000
	// incompleteWait is how many times longer a folder must have stood still that is no whole product:
	// whoever copies it may have paused, or may have left files out for good.
	incompleteWait = 12
	// maxLogged bounds the messages that are remembered.
	maxLogged = 256
)

// scan gives the files, and the folders that are products, that are new and have settled, by name.
func (f *Folder) scan() ([]string, error) {
	entries, err := os.ReadDir(f.config.Path)
	if err != nil {
		return nil, err
	}
	now, present, passed := f.now(), map[string]bool{}, int64(0)
	var ready []string
	f.readAcquisitions(entries)
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(f.config.Path, e.Name())
		if unfinished(name) || f.own(name) {
			continue
		}
		if why := f.unwanted(e); why != "" {
			if f.acquisitions.has(path) {
				continue
			}
			passed++
			f.logOnce(why)
			continue
		}
		print, whole, err := f.printOf(path)
		switch {
		case errors.Is(err, errManyFiles):
			passed++
			f.logOnce("the folder " + name + " is passed over: " + err.Error())
			continue
		case err != nil: // it is just being put there, or taken away
			continue
		}
		present[name] = true
		switch {
		case f.knows(name, print):
			delete(f.candidates, name)
		case f.wasPassed(name, print):
			passed++
		case f.settled(e, print, whole, now):
			if why := f.noProduct(name, path, e.IsDir()); why != "" {
				f.passed[name] = print
				delete(f.candidates, name)
				passed++
				f.logOnce(why)
				continue
			}
			ready = append(ready, path)
		}
	}
	forget(f.candidates, present)
	forget(f.passed, present)
	f.acquisitions.keepOnly(present)
	f.mu.Lock()
	f.read.keepOnly(present)
	f.Passed = passed
	f.mu.Unlock()
	return ready, nil
}

func forget[T any](of map[string]T, present map[string]bool) {
	for name := range of {
		if !present[name] {
			delete(of, name)
		}
	}
}

// wasPassed says whether a folder was looked into as it is now, and holds no product.
func (f *Folder) wasPassed(name string, print fingerprint) bool {
	was, ok := f.passed[name]
	return ok && was == print
}

// settled says whether a thing has stood still for long enough.
func (f *Folder) settled(e fs.DirEntry, print fingerprint, whole bool, now time.Time) bool {
	name := e.Name()
	was, known := f.candidates[name]
	if !known || was.print != print {
		f.candidates[name] = candidate{print, now}
		return false
	}
	stood := now.Sub(was.since)
	if !whole || stood < f.config.Settle {
		return false
	}
	if f.acquisitions != nil {
		away := f.acquisitions.of(filepath.Join(f.config.Path, name)).missing()
		if away == "" || stood >= incompleteWait*f.config.Settle {
			return true
		}
		f.logOnce(fmt.Sprintf("%s waits for its echoes: %s; it is tried as it is once nothing has changed for %s", name, away, incompleteWait*f.config.Settle))
		return false
	}
	if !e.IsDir() || stood >= incompleteWait*f.config.Settle {
		return true
	}
	path := filepath.Join(f.config.Path, name)
	away := raster.Missing(path)
	switch product := raster.IsProduct(path); {
	case product && len(away) == 0:
		return true
	case product:
		f.logOnce(fmt.Sprintf("%s waits for %d files that its metadata name, such as %s; it is read without them once it has stood still for %s",
			name, len(away), away[0], incompleteWait*f.config.Settle))
	case f.named(name):
		f.logOnce(fmt.Sprintf("%s waits for the files of a product; it is given up once it has stood still for %s", name, incompleteWait*f.config.Settle))
	}
	return false
}

// unfinished are hidden files and the names under which files are commonly still being written.
func unfinished(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(lower, ".part") || strings.HasSuffix(lower, ".tmp")
}

// own are the things that the agent itself puts into the folder.
func (f *Folder) own(name string) bool {
	return name == doneFolder || name == failedFolder || filepath.Join(f.config.Path, name) == f.config.Ledger
}

// unwanted says why a thing is passed over whatever is in it; "" where it isn't.
func (f *Folder) unwanted(e fs.DirEntry) string {
	named := f.named(e.Name())
	switch {
	case !e.IsDir() && raster.PartOf(e.Name()) != "": // nobody knows when the others will have come
		return "files of products that have one for each band are passed over; put a folder of the product there"
	case e.Type()&fs.ModeSymlink != 0:
		return "links in the folder are not followed; put the files there, or watch the folder where they are"
	case e.IsDir() && !named && len(f.config.Patterns) > 0:
		return "the folder " + e.Name() + " is passed over: its name fits none of the patterns"
	case e.IsDir() || named && e.Type().IsRegular():
		return ""
	case !e.Type().IsRegular():
		return "what is neither file nor folder is passed over: " + e.Name()
	}
	if ending := strings.ToLower(filepath.Ext(e.Name())); ending != "" {
		return "files are passed over whose names end in " + ending + ": none of the patterns takes them"
	}
	return "files without an ending are passed over: none of the patterns takes them"
}

// named says whether a name fits a pattern.
func (f *Folder) named(name string) bool {
	patterns := f.config.Patterns
	if len(patterns) == 0 {
		patterns = scenePatterns
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := filepath.Match(strings.ToLower(p), strings.ToLower(name))
		return ok
	})
}

// noProduct says why a folder whose name says nothing is no scene.
func (f *Folder) noProduct(name, path string, folder bool) string {
	if !folder || f.named(name) || raster.IsProduct(path) {
		return ""
	}
	return fmt.Sprintf("the folder %s is passed over: it holds no one product of a kind that is known (%s)", name, strings.Join(raster.Families(), ", "))
}

// logOnce logs something that is passed over or waited for, once.
func (f *Folder) logOnce(what string) {
	if f.logged[what] || len(f.logged) >= maxLogged {
		return
	}
	f.logged[what] = true
	f.log.Info("watched folder: " + what)
}

var errManyFiles = fmt.Errorf("it has more than %d files", maxFolderFiles)

// fingerprintOf is how a file is now, or a folder with all that is in it. It is whole unless some of its
// names are those of files that are being written.
func fingerprintOf(path string) (print fingerprint, whole bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return print, false, err
	}
	if !info.IsDir() {
		return fingerprint{Size: info.Size(), Changed: info.ModTime().UnixNano()}, true, nil
	}
	whole = true
	things := 0
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if things++; things > maxFolderFiles {
			return errManyFiles
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		print.Files++
		print.Size += info.Size()
		print.Changed = max(print.Changed, info.ModTime().UnixNano())
		whole = whole && (strings.HasPrefix(d.Name(), ".") || !unfinished(d.Name()))
		return nil
	})
	return print, whole, err
}

// Fingerprint tells a file, or a folder with all that is in it, from another that is at the same path
// later: its size and time, and the number of a folder's files.
func Fingerprint(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	print, _, err := fingerprintOf(path)
	if err != nil {
		return "", err
	}
	if print.Files > 0 {
		return fmt.Sprintf("%d:%d:%d", print.Size, print.Changed, print.Files), nil
	}
	return fmt.Sprintf("%d:%d", print.Size, print.Changed), nil
}
