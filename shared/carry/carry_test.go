package carry

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

func item(seq uint64, bytes int) event.Item {
	data := make([]byte, bytes)
	for i := range data {
		data[i] = byte(i * int(seq))
	}
	now := time.Now()
	return event.Item{ID: event.NewID(now), Edge: "mast-7", Epoch: "0123456789abcdef", Seq: seq, Kind: event.Tile, Stream: "s", Subject: "s/1_2",
		Time: now.UTC(), Priority: event.Normal, Type: "image/tiff", SHA256: event.Sum(data), Data: data}
}

func export(t *testing.T, items ...event.Item) string {
	t.Helper()
	f, err := Create(t.TempDir(), "mast-7", "0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if err := f.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := f.Close(); err != nil || n != len(items) {
		t.Fatal(n, err)
	}
	return f.Path()
}

func TestWhatIsExportedComesBackAsTheMessagesOfTheLink(t *testing.T) {
	small, large := item(3, 100), item(4, 3*PartBytes+17)
	dir := export(t, small, large)
	found, err := Find(filepath.Dir(dir))
	if err != nil || len(found) != 1 || found[0] != dir {
		t.Fatal(found, err)
	}
	x, err := ReadIndex(dir)
	if err != nil || len(x.Items) != 2 {
		t.Fatal(x, err)
	}
	one, err := x.Messages(dir, x.Items[0])
	if err != nil || len(one) != 1 || one[0].Topic != event.Topic("mast-7", event.Normal, event.Tile) {
		t.Fatal(one, err)
	}
	parts, err := x.Messages(dir, x.Items[1])
	if err != nil || len(parts) != 4 {
		t.Fatal(len(parts), err)
	}
	var data []byte
	for n, p := range parts {
		i, err := event.UnmarshalMQTT(p.Payload)
		if err != nil || i.Kind != event.Part || int(i.Attrs.Part) != n || i.Attrs.Parts != 4 || i.Attrs.PartOf != event.Tile || i.SHA256 != large.SHA256 {
			t.Fatalf("part %d: %+v %v", n, i.Attrs, err)
		}
		data = append(data, i.Data...)
	}
	if !bytes.Equal(data, large.Data) {
		t.Error("the parts are not the whole")
	}
}

func TestADamagedExportIsReportedAndNotUsed(t *testing.T) {
	for name, spoil := range map[string]func(path string, x *Index){
		"a changed byte": func(path string, _ *Index) {
			b, _ := os.ReadFile(path)
			b[len(b)/2] ^= 1
			os.WriteFile(path, b, 0o600)
		},
		"a missing file":     func(path string, _ *Index) { os.Remove(path) },
		"a file that is cut": func(path string, _ *Index) { os.Truncate(path, 30) },
		"a far longer file":  func(path string, _ *Index) { os.WriteFile(path, make([]byte, 3<<20), 0o600) },
		"a path outside":     func(_ string, x *Index) { x.Items[0].File = "../../etc/passwd" },
		"another's item":     func(_ string, x *Index) { x.Edge = "mast-8" },
		"a size below zero":  func(_ string, x *Index) { x.Items[0].Bytes = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := export(t, item(1, 500))
			x, err := ReadIndex(dir)
			if err != nil {
				t.Fatal(err)
			}
			spoil(filepath.Join(dir, x.Items[0].File), &x)
			if m, err := x.Messages(dir, x.Items[0]); !errors.Is(err, ErrDamaged) {
				t.Errorf("got %d messages, %v", len(m), err)
			}
		})
	}
	if _, err := Find(t.TempDir()); err == nil {
		t.Error("an empty folder is an export")
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"edge":"e","epoch":"0123456789abcdef","items":[{"seq":1,"file":"1.items","bytes":3}]}`), []byte{0, 0, 0, 1, '{'})
	f.Fuzz(func(t *testing.T, index, items []byte) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, indexName), index, 0o600)
		os.WriteFile(filepath.Join(dir, "1.items"), items, 0o600)
		x, err := ReadIndex(dir)
		if err != nil {
			return
		}
		for _, e := range x.Items {
			x.Messages(dir, e)
		}
	})
}
