// Package durable makes files that a power cut does not take: a file's bytes are on the disk before
// it has its name, and its name is before anybody depends on it. What is only written and renamed is whole
// after a crash of the process, but gone, or empty, after one of the machine.
package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// WriteFile writes a file that is there whole or not at all, and is on the disk when it returns. Its
// folder must be there.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := renameio.WriteFile(path, data, mode, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// WriteJSON writes a file for people and programs, whole or not at all.
func WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// Rename gives a file or a folder another name. What has come under the new name is on the disk when
// it returns, as far as what was renamed had been synced.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// MkdirAll makes a folder and what is missing above it. The names of those that it made are on the disk
// when it returns.
func MkdirAll(dir string, mode os.FileMode) error {
	dir = filepath.Clean(dir)
	var made []string
	for above := dir; ; above = filepath.Dir(above) {
		if _, err := os.Stat(above); err == nil || !errors.Is(err, fs.ErrNotExist) || above == filepath.Dir(above) {
			break
		}
		made = append(made, above)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, folder := range made {
		if err := SyncFolder(filepath.Dir(folder)); err != nil {
			return err
		}
	}
	return nil
}

// SyncFolder brings the names in a folder to the disk.
func SyncFolder(dir string) error { return sync(dir) }

// SyncTree brings a folder to the disk with all that is in it, which others wrote.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() && !e.Type().IsRegular() {
			return err
		}
		return sync(path)
	})
}

func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("bring %s to the disk: %w", path, err)
	}
	return nil
}

// uriEscapes are what means something in a file: URI besides '/', which stays.
var uriEscapes = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// SQLiteURI is a database file as SQLite's file: URI, to which parameters may be added behind a '?':
// whatever stands in the path names the file, and nothing else.
func SQLiteURI(path string) string { return "file:" + uriEscapes.Replace(path) }
