package attempt

import (
	"bytes"
	"os"

	"cloudcanvas/shared/telemetry"
)

// keepBytes keeps the bytes of a quarantined input that came again, where they are not kept yet.
func (l *Ledger) keepBytes(c *Case, in Input) {
	if c.File != "" || c.Tried {
		return
	}
	c.Tried = true
	size, path := int64(len(in.Data)), ""
	if size == 0 {
		info, err := os.Stat(in.Path)
		if err != nil || !info.Mode().IsRegular() {
			return
		}
		size, path = info.Size(), in.Path
	}
	if !l.room(l.quarantine, size) {
		l.log.Warn("a quarantined input is too large to be kept: it stays where it is", "source", c.Source, "path", in.Path, "bytes", size)
		l.quarantine.put(c)
		return
	}
	var err error
	if path == "" {
		err = l.quarantine.keep(c, bytes.NewReader(in.Data))
	} else {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = l.quarantine.keep(c, f)
			f.Close()
		}
	}
	if err != nil {
		l.log.Warn("the bytes of a quarantined input could not be kept", "source", c.Source, "name", c.Name, telemetry.Err, err)
	}
}

// room makes room for bytes in a folder, first at the cost of suspects.
func (l *Ledger) room(in *folder, more int64) bool {
	limit := l.config.QuarantineBytes
	if in == l.quarantine {
		l.suspects.room(more+in.bytes(), limit)
		return in.room(more, limit-l.suspects.bytes())
	}
	return in.room(more, limit-l.quarantine.bytes())
}
