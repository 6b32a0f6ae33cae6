package mosaic

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
)

// ofEdge is what another edge says of the same names.
func ofEdge(edge string, items []event.Item) []event.Item {
	all := slices.Clone(items)
	for n := range all {
		all[n].Edge = edge
		all[n].ID[14] = edge[len(edge)-1]
	}
	return all
}

func TestTwoEdgesWithTheSameNamesHaveProductsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		one := append(sceneItems(t), cameraItems(t)...)
		two := ofEdge("mast-2", one)
		stop := l.run(t, Config{}, out)
		for n := range one { // tile by tile, with restarts in between
			l.tell(one[n], two[n])
			if n%9 == 0 {
				synctest.Wait()
				stop()
				stop = l.run(t, Config{}, out)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		stop = l.run(t, Config{}, out)
		l.tell(two...) // read once more
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		folders := map[string]string{}
		for _, p := range l.made(t) {
			who := p.Kind + " of " + p.Edge
			if had, ok := folders[who]; ok && had != p.Folder {
				t.Errorf("the %s moved from %s to %s", who, had, p.Folder)
			}
			folders[who] = p.Folder
			if p.Kind == sceneProduct && (!p.Complete || p.Scene.Results != 21) {
				t.Errorf("%s: %+v", who, p.Scene)
			}
			for _, f := range p.Files {
				if _, err := os.Stat(filepath.Join(out, p.Folder, f)); err != nil {
					t.Error(err)
				}
			}
		}
		taken := map[string]bool{}
		for who, folder := range folders {
			if taken[folder] {
				t.Errorf("%s shares %s", who, folder)
			}
			taken[folder] = true
		}
		if len(folders) != 4 || !taken["s1"] || !taken["@mast-1/s1"] && !taken["@mast-2/s1"] {
			t.Errorf("folders %v", folders)
		}
	})
}

// formerly is a product as the program before announced it: under its name alone.
func formerly(t *testing.T, edge, name string) queue.Entry {
	t.Helper()
	p := Product{Kind: sceneProduct, Name: name, Edge: edge, Folder: name, Files: []string{"item.json"}, Complete: true, Of: id(1).String(), Scene: &SceneStats{}}
	item, err := p.item(id(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	return queue.Entry{Topic: event.ProductsTopic, Key: []byte(name), Item: item}
}

func TestProductsOfTheProgramBeforeAreKnownAndKeepTheirFolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.append(formerly(t, "mast-1", "s1"), formerly(t, "mast-3", "s3"))
		stop := l.run(t, Config{}, out)
		l.tell(ofEdge("mast-2", sceneItems(t))...) // another edge's, while the old one stands
		time.Sleep(time.Hour)
		synctest.Wait()
		if made := l.made(t); len(made) != 1 || made[0].Folder != "@mast-2/s1" || len(l.retired) > 0 {
			t.Errorf("made %+v, retired %v", made, l.retired)
		}
		stop()
		stop = l.run(t, Config{}, out)
		l.tell(sceneItems(t)...) // the same edge's, anew
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		if made := l.made(t); len(made) != 2 || made[1].Folder != "s1" || strings.Join(l.retired, " ") != "s1" {
			t.Errorf("made %+v, retired %v", made, l.retired)
		}
		all, err := Index(t.Context(), l)
		if err != nil || len(all) != 3 {
			t.Fatal(all, err)
		}
		found, err := Find(t.Context(), l, "s1")
		if err != nil || len(found) != 2 || found[0].Edge != "mast-1" || found[0].Scene.Results != 21 {
			t.Errorf("%+v %v", found, err)
		}
	})
}

func TestAFolderIsClaimedOnce(t *testing.T) {
	f := Folder(t.TempDir())
	for _, c := range []struct {
		folder, owner string
		want          bool
	}{{"s", "scene a/s", true}, {"s", "scene b/s", false}, {"s", "camera a/s", false}, {"s", "scene a/s", true}, {"@b/s", "scene b/s", true}, {"s/t", "scene c/t", true}} {
		if got, err := f.Claim(c.folder, c.owner); got != c.want || err != nil {
			t.Errorf("%s for %s: %v, %v", c.folder, c.owner, got, err)
		}
	}
}

func TestFoldersOfOneNameAreNeverThoseOfAnother(t *testing.T) {
	for _, c := range []Config{{}, {PerEdge: true}} {
		taken := map[string]key{}
		for _, k := range []key{{"scene", "a", "b"}, {"camera", "a", "b"}, {"scene", "b", "b"}, {"scene", "b", "a"}, {"scene", "a", "@b/b"}, {"scene", "", "b"}, {"scene", "a", "a"}} {
			last := c.folders(k)[len(c.folders(k))-1]
			if other, ok := taken[last]; ok {
				t.Errorf("%v and %v share %s", k, other, last)
			}
			taken[last] = k
		}
	}
}
