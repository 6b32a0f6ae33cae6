package mosaic

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// locate notes where an announced product lies, and under which key it stands. Programs before this
// one claimed no folders and left the edge out of keys.
func (m *Mosaic) locate(e Entry, p Product) {
	k := key{p.Kind, p.Edge, p.Name}
	folder := p.Folder
	if p.Camera != nil && !p.Camera.Ended {
		folder = path.Dir(folder) // it is a segment
	}
	m.taken[folder] = k
	if former := e.Item.FormerKey(); e.Key == former && p.Edge != "" {
		m.former[former] = k
	}
}

// place is the folder of a record's product: the first of those that it may have that no other has.
func (m *Mosaic) place(k key) (string, error) {
	folders := m.cfg.folders(k)
	if m.cfg.OneEdge {
		return folders[0], nil
	}
	for _, folder := range folders {
		if other, ok := m.taken[folder]; ok && other != k {
			continue
		}
		mine, err := m.Store.Claim(folder, k.kind+" "+k.edge+"/"+k.name)
		if err != nil {
			return "", fmt.Errorf("finding a folder for %s %s of edge %s: %w", k.kind, k.name, k.edge, err)
		}
		if mine {
			m.taken[folder] = k
			return folder, nil
		}
	}
	return "", fmt.Errorf("no folder is left for %s %s of edge %s: %v are those of others", k.kind, k.name, k.edge, folders)
}

// supersede retires the announcement of the same product under its key of before, which only it may
// have: another edge's of that name stays readable.
func (m *Mosaic) supersede(ctx context.Context, k key, former string) {
	if m.former[former] != k {
		return
	}
	if err := m.Products.Retire(ctx, former); err != nil {
		m.Log.Warn("the product's former announcement stands beside the new one until the next time", "key", former, "error", err)
		return
	}
	delete(m.former, former)
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
