package mosaic

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestACompleteSceneIsPublishedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{}, out)
		l.tell(sceneItems(t)...)
		l.tell(sceneItems(t)...) // redelivered
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || !made[0].Complete || made[0].Folder != "s1" || made[0].Scene.Results != 21 {
			t.Fatalf("products %+v", made)
		}
		if strings.Join(made[0].Files, " ") != "item.json mask.geojson mask.tif quicklook.png quicklook.png.aux.xml tiles.json" {
			t.Fatalf("files %v", made[0].Files)
		}
		read(t, out, "s1", "item.json")
		if left, _ := filepath.Glob(filepath.Join(out, ".draft*")); len(left) != 0 {
			t.Fatalf("drafts left: %v", left)
		}
		if l.committed[event.ResultsTopic] != 42 || l.committed[event.EventsTopic] != 4 {
			t.Fatalf("committed %v: what is finished need not be read again", l.committed)
		}
	})
}

func TestASceneBeyondItsDeadlineIsPublishedAsIncompleteAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{Deadline: time.Minute}, out)
		items := sceneItems(t)
		l.tell(items[1:]...)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if made := l.made(t); len(made) != 0 {
			t.Fatalf("published before the deadline: %+v", made)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || made[0].Complete || len(made[0].Missing) != 1 || made[0].Missing[0] != "2_0" {
			t.Fatalf("products %+v", made)
		}
		if l.committed[event.ResultsTopic] != 0 {
			t.Fatal("an open scene's results must be read again after a restart")
		}
		l.tell(items[0])
		time.Sleep(5 * time.Second)
		synctest.Wait()
		made = l.made(t)
		if len(made) != 2 || !made[1].Complete || len(made[1].Missing) != 0 {
			t.Fatalf("products %+v", made)
		}
		var tiles []tileOutcome
		if err := json.Unmarshal([]byte(read(t, out, "s1", "tiles.json")), &tiles); err != nil {
			t.Fatal(err)
		}
		for _, f := range tiles {
			if f.State == "missing" {
				t.Fatalf("tile %s is still missing", f.Tile)
			}
		}
	})
}

func TestADeadLetterEndsTheWaitForItsTile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{}, out)
		items := sceneItems(t)
		l.tell(items[1:]...)
		l.deadLetter(itemOf(7, event.Tile, "s1/2_0", "image/tiff", nil, event.Attrs{Scene: "s1", Tile: "2_0", Want: "segment"}), "not a TIFF file")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || made[0].Scene.Dead != 1 {
			t.Fatalf("products %+v", made)
		}
		if !strings.Contains(read(t, out, "s1", "tiles.json"), "not a TIFF file") {
			t.Fatal("tiles.json does not say why")
		}
	})
}

func TestARestartedMosaicBeginsWithWhatWasOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		items := sceneItems(t)
		other := cameraItems(t)
		stop := l.run(t, Config{}, out)
		l.tell(other...)
		l.tell(items[:10]...)
		time.Sleep(5 * time.Minute)
		stop()
		if made := l.made(t); len(made) != 1 || made[0].Kind != cameraProduct {
			t.Fatalf("products %+v", made)
		}
		stop = l.run(t, Config{}, out)
		l.tell(items[10:]...)
		time.Sleep(time.Hour)
		stop()
		made := l.made(t)
		if len(made) != 2 || made[1].Kind != sceneProduct || !made[1].Complete {
			t.Fatalf("products %+v: the finished camera must not be made again of what was read again", made)
		}
	})
}

func TestAPartReadAgainDoesNotReplaceACompleteScene(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		stop := l.run(t, Config{}, out)
		l.tell(sceneItems(t)...)
		time.Sleep(time.Hour)
		stop()
		l.committed[event.EventsTopic] = 0 // as if an older open scene had held it
		l.committed[event.ResultsTopic] = 15
		stop = l.run(t, Config{}, out)
		time.Sleep(time.Hour)
		stop()
		if made := l.made(t); len(made) != 1 {
			t.Fatalf("products %+v", made)
		}
	})
}

func TestACameraRecordIsPublishedAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{}, out)
		l.tell(cameraItems(t)...)
		time.Sleep(time.Hour)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || !made[0].Complete || made[0].Folder != "yard" || made[0].Camera.Events != 3 {
			t.Fatalf("products %+v", made)
		}
		read(t, out, "yard", "detections.json")
	})
}

func TestACameraWithoutEndIsPublishedInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{Roll: time.Hour}, out)
		for n := range 130 {
			l.tell(batch(t, n, n*10, n*10+9, 0))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		made := l.made(t)
		if len(made) != 2 || made[0].Complete || made[0].Camera.Frames+made[1].Camera.Frames < 1200 || made[0].Folder == made[1].Folder {
			t.Fatalf("products %+v", made)
		}
		read(t, out, made[0].Folder, "detections.json")
	})
}

func TestAProductThatCannotBeAnnouncedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		away := 3
		l.announced = func() error {
			if away--; away >= 0 {
				return errors.New("no broker")
			}
			return nil
		}
		l.run(t, Config{}, out)
		l.tell(sceneItems(t)...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if made := l.made(t); len(made) != 1 || !made[0].Complete {
			t.Fatalf("products %+v", made)
		}
	})
}

func TestLargeDataIsFetchedAndWrongDataIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{Deadline: time.Minute}, out)
		items := sceneItems(t)
		manifest := &items[len(items)-1]
		l.objects["big"], manifest.Data, manifest.Attrs.DataRef = manifest.Data, nil, "big"
		items[3].Data = append([]byte{0}, items[3].Data...) // not what its sha256 says
		l.tell(items...)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 1 || made[0].Complete || len(made[0].Missing) != 1 {
			t.Fatalf("products %+v", made)
		}
	})
}

func TestNamesFromOutsideStayInTheFolder(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"yard", "a/b", "../../etc", "..", ".", "", "a_b", "Ä", strings.Repeat("x", 500), ".hidden", "a b"} {
		safe := safeName(name)
		if strings.ContainsAny(safe, "/\\") || strings.HasPrefix(safe, ".") || safe == "" || len(safe) > 140 || seen[safe] {
			t.Errorf("%q becomes %q", name, safe)
		}
		seen[safe] = true
	}
	if safeName("LC08_L1TP.224-078") != "LC08_L1TP.224-078" {
		t.Error("a good name was changed")
	}
}

func FuzzTileMask(f *testing.F) {
	m := plan(f)
	f.Add(resultItem(f, m, "1_1", 1, truth).Data)
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	s := newScene(f)
	fold(f, s, manifestItem(f, 1, m))
	at, _ := s.grid.Find("1_1")
	f.Fuzz(func(t *testing.T, data []byte) {
		shares, err := vision.DecodeProbabilities(data, at.Window.W, at.Window.H)
		for _, plane := range shares {
			if err == nil && len(plane) != at.Window.W*at.Window.H {
				t.Fatalf("%d values for a window of %d x %d", len(plane), at.Window.W, at.Window.H)
			}
		}
	})
}
