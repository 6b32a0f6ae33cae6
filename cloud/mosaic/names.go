package mosaic

import (
	"fmt"
	"hash/crc32"
	"path"
	"strings"
)

// safeName is a scene's or camera's name as that of one folder: names come from outside and must
// not lead anywhere else. A name that had to be changed gets a mark, so that two stay two.
func safeName(name string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
	if len(safe) > 120 {
		safe = safe[:120]
	}
	if safe == "" || safe[0] == '.' {
		safe = "_" + safe
	}
	if safe != name {
		safe = fmt.Sprintf("%s-%08x", safe, crc32.ChecksumIEEE([]byte(name)))
	}
	return safe
}

// folder is where a record's product goes, below the store's root.
func (c Config) folder(edge, name string) string {
	if c.PerEdge && edge != "" {
		return path.Join(safeName(edge), safeName(name))
	}
	return safeName(name)
}
