package mosaic

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/telemetry"

	"github.com/google/renameio/v2"
)

// productFolders are where products lie, and under which keys. Products may be made at the same time.
type productFolders struct {
	mu     sync.Mutex
	taken  map[string]key // folders of announced products, and of those made here
	former map[string]key // products that stand under keys without an edge
}

func newProductFolders() productFolders {
	return productFolders{taken: map[string]key{}, former: map[string]key{}}
}

// locate notes where an announced product lies, and under which key it stands. Programs before this
// one claimed no folders and left the edge out of keys.
func (p *productFolders) locate(e queue.Entry, announced Product) {
	k := key{announced.Kind, announced.Edge, announced.Name}
	folder := announced.Folder
	if announced.Camera != nil && !announced.Camera.Ended {
		folder = path.Dir(folder) // it is a segment
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[folder] = k
	if former := e.Item.FormerKey(); string(e.Key) == former && k.edge != "" {
		p.former[former] = k
	}
}

// folderFor is the folder of a record's product: the first of those that it may have that no other has.
func (m *Mosaic) folderFor(k key) (string, error) {
	folders := m.cfg.folders(k)
	if m.cfg.OneEdge {
		return folders[0], nil
	}
	m.folders.mu.Lock()
	defer m.folders.mu.Unlock()
	for _, folder := range folders {
		if other, ok := m.folders.taken[folder]; ok && other != k {
			continue
		}
		mine, err := m.Store.Claim(folder, k.kind+" "+k.edge+"/"+k.name)
		if err != nil {
			return "", fmt.Errorf("finding a folder for %s %s of edge %s: %w", k.kind, k.name, k.edge, err)
		}
		if mine {
			m.folders.taken[folder] = k
			return folder, nil
		}
	}
	return "", fmt.Errorf("no folder is left for %s %s of edge %s: %v are those of others", k.kind, k.name, k.edge, folders)
}

// supersede retires the announcement of the same product under its key of before, which only it may
// have: another edge's of that name stays readable.
func (m *Mosaic) supersede(ctx context.Context, k key, former string) {
	m.folders.mu.Lock()
	stands := m.folders.former[former] == k
	m.folders.mu.Unlock()
	if !stands {
		return
	}
	if err := m.Products.Retire(ctx, former); err != nil {
		m.Log.Warn("the mosaic could not retire a product's former announcement, and tries again with its next one", "key", former, telemetry.Err, err)
		return
	}
	m.folders.mu.Lock()
	defer m.folders.mu.Unlock()
	delete(m.folders.former, former)
}

// owners is the folder of claims, below the root of products. No product's name begins with a dot.
const owners = ".owners"

// Claim writes down whose a folder is, before anything goes into it, so that a mosaic that died in
// between knows it again.
func (f Folder) Claim(folder, owner string) (bool, error) {
	claim := filepath.Join(string(f), owners, filepath.FromSlash(folder)+".owner")
	has, err := os.ReadFile(claim)
	if err == nil {
		return string(has) == owner, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(claim), 0o755); err != nil {
		return false, fmt.Errorf("%w; choose an output folder that can be written", err)
	}
	return true, renameio.WriteFile(claim, []byte(owner), 0o644)
}

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
