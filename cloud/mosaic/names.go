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

// folders are where a record's product may go, below the store's root, best first. Names are chosen
// edge by edge: the first who publishes under one has the short folder, where mosaic.per_edge does not
// ask for the edge everywhere. No name of its own holds an @, so that no folder is one of another's.
func (c Config) folders(k key) []string {
	edge, name := safeName(k.edge), safeName(k.name)
	switch {
	case c.OneEdge || k.edge == "" && !c.PerEdge:
		return []string{name, name + "@" + k.kind}
	case c.PerEdge && k.edge != "":
		return []string{path.Join(edge, name), path.Join(edge, name+"@"+k.kind)}
	}
	return []string{name, path.Join("@"+edge, name), path.Join("@"+edge, name+"@"+k.kind)}
}
