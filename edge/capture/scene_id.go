package capture

import (
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/security"
)

// maxSceneID keeps ids fit for topics, keys and folders.
const maxSceneID = 100

// SceneIDs gives each scene file of a run its id. It is used by one goroutine.
type SceneIDs struct{ given map[string]string }

// ID is the file's name without its ending, or the name of the product that it is a band of, with '-' for all but letters, digits, '.', '_' and '-'; a
// camera that has an address is "camera", for there are passwords in addresses.
// A second file of the same name gets "-2", and so on; the same path always has the same id.
func (s *SceneIDs) ID(path string) string {
	if s.given == nil {
		s.given = map[string]string{}
	}
	slug := slug(path)
	id := slug
	for n := 2; ; n++ {
		if owner, taken := s.given[id]; !taken || owner == path {
			break
		}
		id = slug + "-" + strconv.Itoa(n)
	}
	s.given[id] = path
	return id
}

// Took keeps an id for the file at path, which got it in an earlier run.
func (s *SceneIDs) Took(id, path string) {
	if s.given == nil {
		s.given = map[string]string{}
	}
	s.given[id] = path
}

func slug(path string) string {
	if scheme, _, ok := strings.Cut(path, "://"); ok {
		if scheme == "rtsp" || scheme == "rtsps" {
			return "camera"
		}
		path = path[:strings.IndexAny(path+"?", "?#;")]
		if security.Redact(path) != path {
			return "scene"
		}
	}
	name := filepath.Base(path)
	if product := raster.PartOf(path); product != "" {
		name = product
	} else if ending := filepath.Ext(name); strings.ContainsFunc(ending, unicode.IsLetter) { // else it is a version: HLS.S30.….v2.0
		name = strings.TrimSuffix(name, ending)
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
	if len(name) > maxSceneID {
		name = name[:maxSceneID]
	}
	if name = strings.Trim(name, ".-"); name == "" {
		return "scene"
	}
	return name
}
