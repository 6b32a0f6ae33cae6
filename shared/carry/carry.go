// Package carry writes items to a folder and reads them back, for data that leaves a device on a
// stick: where the link is too thin, or there is none.
//
//	<dir>/<edge>-<epoch>/index.json     what is there, with the sha256 of each file
//	<dir>/<edge>-<epoch>/<seq>.items    the item as it would travel: messages, each after its length
//
// A message is what MQTT would carry (docs/contracts.md), a large item its parts; its length stands
// before it as four bytes, the highest first.
package carry

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
)

// PartBytes is how large a message's data may be.
const PartBytes = 128 << 10

const indexName = "index.json"

// maxIndex bounds what is read of an index.
const maxIndex = 1 << 30

// Index is what a folder holds.
type Index struct {
	Edge  string      `json:"edge"`
	Epoch event.Epoch `json:"epoch"`
	Items []Entry     `json:"items"`
}

// Entry is one item's file.
type Entry struct {
	Seq      uint64         `json:"seq"`
	Kind     event.Kind     `json:"kind"`
	Subject  string         `json:"subject"`
	Priority event.Priority `json:"priority"`
	Bytes    int            `json:"bytes"` // of its data
	File     string         `json:"file"`
	SHA256   string         `json:"sha256"` // of the file
}

// Folder is being written. Add each item, then Close: without its index a folder holds nothing.
type Folder struct {
	dir   string
	index Index
}

// Create begins the folder of one edge's epoch inside dir.
func Create(dir, edge string, epoch event.Epoch) (*Folder, error) {
	f := &Folder{dir: filepath.Join(dir, edge+"-"+string(epoch)), index: Index{Edge: edge, Epoch: epoch, Items: []Entry{}}}
	if err := durable.MkdirAll(f.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder to export to: %w", err)
	}
	return f, nil
}

// Path is where the folder is.
func (f *Folder) Path() string { return f.dir }

// Add writes an item.
func (f *Folder) Add(i event.Item) error {
	e := Entry{Seq: i.Seq, Kind: i.Kind, Subject: i.Subject, Priority: i.Priority, Bytes: len(i.Data), File: strconv.FormatUint(i.Seq, 10) + ".items"}
	h := sha256.New()
	err := writeFile(filepath.Join(f.dir, e.File), func(w io.Writer) error {
		w = io.MultiWriter(w, h)
		of := uint32(max(1, (len(i.Data)+PartBytes-1)/PartBytes))
		for n := range of {
			message, err := i.Cut(n, of).MarshalMQTT()
			if err != nil {
				return err
			}
			if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(message)))); err != nil {
				return err
			}
			if _, err := w.Write(message); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("export item %d: %w", i.Seq, err)
	}
	e.SHA256 = hex.EncodeToString(h.Sum(nil))
	f.index.Items = append(f.index.Items, e)
	return nil
}

// Close writes the index, and says how many items it names.
func (f *Folder) Close() (int, error) {
	err := writeFile(filepath.Join(f.dir, indexName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(f.index)
	})
	if err == nil {
		err = durable.SyncFolder(f.dir)
	}
	if err != nil {
		return 0, fmt.Errorf("write the index of an export: %w", err)
	}
	return len(f.index.Items), nil
}

// writeFile writes whole or not at all, and durably: a stick may be pulled at any moment.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(write(w), w.Flush()); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
