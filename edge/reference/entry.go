package reference

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"cloudcanvas/shared/ground"
)

// Entry is what is known of a block: how it looks, and how it looked before the last file that was read. A file
// that is read again after a restart is compared with the latter, and so decided as it was.
type Entry struct {
	File   string // from which Now has its newest part
	Now    ground.View
	before []byte // a view as it is written; it is seldom needed
}

// Before is how the block looked before File; the zero View where nobody had seen it.
func (e Entry) Before() (v ground.View, err error) {
	if len(e.before) == 0 {
		return v, nil
	}
	err = v.UnmarshalBinary(e.before)
	return v, err
}

// With is the entry once a file has shown some of the block.
func (e Entry) With(file string, patch ground.View) (Entry, error) {
	if e.File != file {
		e.File, e.before = file, nil
		if !e.Now.Empty() {
			var err error
			if e.before, err = e.Now.MarshalBinary(); err != nil {
				return e, err
			}
		}
	}
	e.Now = e.Now.Overlay(patch)
	return e, nil
}

const maxFileName = 4096

// A file is: form, CRC-32 of what follows, when it was kept (Unix nanoseconds), the lengths of the file's name, of
// Now and of what was before, and these.
const (
	form   = "CVR2"
	header = len(form) + 4 + 8 + 2 + 4 + 4
)

func encode(e Entry, kept time.Time) ([]byte, error) {
	now, err := e.Now.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("write a reference view: %w", err)
	}
	e.File = e.File[:min(len(e.File), maxFileName)]
	b := make([]byte, 0, header+len(e.File)+len(now)+len(e.before))
	b = append(b, form...)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(kept.UnixNano()))
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.File)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(now)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.before)))
	b = append(append(append(b, e.File...), now...), e.before...)
	binary.BigEndian.PutUint32(b[len(form):], crc32.ChecksumIEEE(b[len(form)+4:]))
	return b, nil
}

func decode(b []byte) (e Entry, kept time.Time, ok bool) {
	if len(b) < header || string(b[:len(form)]) != form || binary.BigEndian.Uint32(b[len(form):]) != crc32.ChecksumIEEE(b[len(form)+4:]) {
		return e, kept, false
	}
	b = b[len(form)+4:]
	kept = time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	name, now, before := uint64(binary.BigEndian.Uint16(b[8:])), uint64(binary.BigEndian.Uint32(b[10:])), uint64(binary.BigEndian.Uint32(b[14:]))
	if b = b[18:]; name+now+before != uint64(len(b)) {
		return e, kept, false
	}
	e.File = string(b[:name])
	if len(b[name+now:]) > 0 {
		e.before = b[name+now:]
	}
	return e, kept, e.Now.UnmarshalBinary(b[name:name+now]) == nil
}
