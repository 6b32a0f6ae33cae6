package event

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	sampleID   = ulid.MustParseStrict("01JD8Q3V9W6X7Y8Z9A0B1C2D3E")
	sampleTime = time.Date(2026, 11, 23, 12, 53, 7, 123456789, time.UTC)
)

// samples are items of every shape. Their names are those of the golden files.
func samples() map[string]Item {
	tile := Item{
		ID: sampleID, Edge: "mast-7", Epoch: "00c0ffee00c0ffee", Seq: 42, Kind: Tile,
		Stream: "S2B 32TQM", Subject: "S2B_32TQM/12_7", Time: sampleTime, Priority: Normal,
		Attrs: Attrs{Scene: "S2B_32TQM", Tile: "12_7", Model: "ukis-csmask-6b", Want: "segment", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		Type:  "image/tiff; application=geotiff", Data: []byte("II*\x00 and so on"),
	}
	tile.SHA256 = Sum(tile.Data)

	part := tile
	part.Kind, part.Attrs.Part, part.Attrs.Parts, part.Attrs.PartOf = Part, 1, 3, Tile
	part.Data = []byte("second of three")

	reference := tile
	reference.Data, reference.Attrs.DataRef = nil, "tiles/01JD8Q3V9W6X7Y8Z9A0B1C2D3E"

	reading := Item{
		ID: sampleID, Edge: "mast-7", Epoch: "00c0ffee00c0ffee", Seq: 43, Kind: Reading,
		Stream: "weather", Subject: "weather", Time: sampleTime, Priority: Urgent,
		Type: "application/json", Data: []byte(`{"temperature":21.5,"wind":{"speed":3}}`),
	}
	reading.SHA256 = Sum(reading.Data)

	result := Item{
		ID: ResultID(sampleID, "ukis-csmask-6b", "1"), Edge: "mast-7", Kind: Result,
		Stream: "S2B 32TQM", Subject: "S2B_32TQM/12_7", Time: sampleTime, Priority: Normal,
		Attrs: Attrs{Scene: "S2B_32TQM", Tile: "12_7", Model: "ukis-csmask-6b", ModelVersion: "1"},
		Type:  "image/png", Data: []byte("\x89PNG"),
	}
	result.SHA256 = Sum(result.Data)

	product := Item{ID: sampleID, Kind: Product, Stream: "mosaic", Priority: High, Type: "application/json", Data: []byte(`"<done>"`)}
	product.SHA256 = Sum(product.Data)

	return map[string]Item{"tile": tile, "part": part, "reference": reference, "reading": reading, "result": result, "product": product}
}

func TestEnvelopesAreWrittenAsTheyAlwaysWere(t *testing.T) {
	for name, item := range samples() {
		t.Run(name, func(t *testing.T) {
			pb, err := item.MarshalMQTT()
			if err != nil {
				t.Fatal(err)
			}
			js, err := json.Marshal(item)
			if err != nil {
				t.Fatal(err)
			}
			key, headers, value := item.Kafka()
			topic, _ := Route(item)
			kafka := fmt.Sprintf("%s %s\n", topic, key)
			for _, h := range headers {
				kafka += fmt.Sprintf("%s: %s\n", h.Key, h.Value)
			}
			kafka += fmt.Sprintf("\n%q\n", value)
			golden(t, name+".pb.hex", hexLines(pb))
			golden(t, name+".json", append(js, '\n'))
			golden(t, name+".kafka.txt", []byte(kafka))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
	}
}

func hexLines(b []byte) []byte {
	var out strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		out.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return []byte(out.String())
}

func TestGoldenEnvelopesAreStillRead(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".pb.hex"))
			if err != nil {
				t.Fatal(err)
			}
			pb, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
			if err != nil {
				t.Fatal(err)
			}
			js, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			for form, b := range map[string][]byte{"protobuf": pb, "JSON": js} {
				got, err := UnmarshalMQTT(b)
				if err != nil {
					t.Fatal(form, err)
				}
				same(t, form, got, want)
			}
		})
	}
}

// same compares items; no data and data of length 0 are the same.
func same(t testing.TB, form string, got, want Item) {
	t.Helper()
	if len(got.Data) == 0 && len(want.Data) == 0 {
		got.Data, want.Data = nil, nil
	}
	want.Time = want.Time.UTC().Round(0)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", form, got, want)
	}
}
