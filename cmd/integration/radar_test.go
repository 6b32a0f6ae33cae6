package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airbusgeo/godal"

	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/sar"
)

// noisePlan is an acquisition of nothing but noise, and its lines: every bit of its image depends on them.
func noisePlan(t *testing.T) (*sar.Plan, []byte) {
	t.Helper()
	p := sar.Defaults()
	p.Data, p.Lines, p.Samples = "noise.bin", 9000, 700
	p.CarrierHz, p.PRFHz, p.SamplingHz, p.ChirpRateHzS, p.ChirpS = 5.3e9, 1257, 32.317e6, 4e12, 5e-6
	p.FirstSampleSlantRangeM, p.EffectiveVelocityMS = 850e3, 7100
	plan, err := sar.NewPlan(p, sar.Centroid{From: "given"}, sar.Weighting{Range: "none", Azimuth: "none"}, 30<<20)
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 2*p.Lines*p.Samples)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return plan, raw
}

// linesOf are the raw lines of a block.
func linesOf(plan *sar.Plan, b sar.Block, raw []byte) []byte {
	from, lines := plan.Stored(b)
	line := 2 * plan.Params.Samples
	return raw[from*line : (from+lines)*line]
}

// acquisition are the items of a plan: the manifest, and a block for each of its tiles, whose data is in the store.
func (f *fleet) acquisition(t *testing.T, plan *sar.Plan, raw []byte) (manifest event.Item, blocks []event.Item) {
	t.Helper()
	objects, err := store.Open(t.Context(), "file://"+filepath.Join(f.dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Close()
	const scene = "noise"
	at := time.Now().UTC()
	p := plan.Params
	m := event.Manifest{ID: scene, Width: p.Samples, Height: p.Lines, Bands: []string{"HH"}, DataType: event.RadarDataType, Grid: event.RadarGrid(len(plan.Blocks)),
		FileBytes: int64(len(raw)), Screening: "none", Captured: at,
		Radar: &event.Radar{Lines: p.Lines, Samples: p.Samples, Format: string(p.Format), CentroidFrom: "given", RowOffset: plan.RowOffset, RangeWindow: "none", AzimuthWindow: "none",
			CarrierHz: p.CarrierHz, PRFHz: p.PRFHz, SamplingHz: p.SamplingHz, ChirpRateHzS: p.ChirpRateHzS, ChirpS: p.ChirpS,
			FirstRangeM: p.FirstSampleSlantRangeM, VelocityMS: p.EffectiveVelocityMS, SpeedOfLightMS: p.SpeedOfLightMS, Simulated: true}}
	item := func(kind event.Kind, subject, media string, data []byte, a event.Attrs) event.Item {
		a.Scene = scene
		return event.Item{ID: event.NewID(at), Edge: "aloft", Epoch: "00c0ffee00c0ffee", Seq: uint64(len(blocks) + 1), Kind: kind, Stream: scene, Subject: subject,
			Time: at, Priority: event.Normal, Attrs: a, Type: media, SHA256: event.Sum(data), Data: data}
	}
	for _, b := range plan.Blocks {
		data, err := sar.EncodeEchoes(plan, b, linesOf(plan, b, raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		tile := event.RadarTile(b.Index)
		i := item(event.Tile, scene+"/"+tile, sar.EchoesType, data, event.Attrs{Tile: tile, Want: sar.WantFocus})
		i.Attrs.DataRef, i.Data = "items/"+i.ID.String(), nil
		if err := objects.Put(t.Context(), i.Attrs.DataRef, data); err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, i)
		m.Tiles = append(m.Tiles, event.TileDecision{Tile: tile, Decision: event.TileSent, Value: 1, Bytes: len(data)})
		m.Radar.Blocks = append(m.Radar.Blocks, event.RadarBlock{Index: b.Index, FirstRow: b.FirstRow, Rows: b.Rows})
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return item(event.Scene, scene, "application/json", data, event.Attrs{}), blocks
}

// Two workers share the blocks of one acquisition; one of them is killed, and the mosaic is. The image is that of one
// program alone, bit by bit.
func TestARadarImageIsMadeByTwoWorkersWhoeverIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts Kafka, ZooKeeper, workers and a mosaic")
	}
	program(t, "canvas-cloud")
	plan, raw := noisePlan(t)
	if len(plan.Blocks) < 8 {
		t.Fatalf("%d blocks are too few to be shared", len(plan.Blocks))
	}
	f := newFleet(t, brokers{mqtt: "tcp://127.0.0.1:1", kafka: brokertest.StartOwnKafka(t).Brokers, zookeeper: brokertest.StartZooKeeper(t, 1).Servers})
	f.sees(t, f.dir, "models: [{want: segment, model: spectral_rgb}], preload: false")
	k := f.kafka(t)
	manifest, blocks := f.acquisition(t, plan, raw)
	first, _ := f.cloud(t, "worker", "worker-1"), f.cloud(t, "worker", "worker-2")
	made := f.cloud(t, "mosaic", "mosaic-1")
	until(t, time.Minute, "the topics are there", func() bool { _, err := k.Offsets(t.Context(), event.ProductsTopic); return err == nil })
	records := []kafka.Record{kafka.RecordOf(manifest)}
	for _, b := range blocks {
		records = append(records, kafka.RecordOf(b))
	}
	if err := k.Append(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	results := func() int64 { return f.count(t, k, event.ResultsTopic) }
	until(t, 2*time.Minute, "some blocks are focused", func() bool { return results() >= 4 })
	first.kill(t)
	made.kill(t)
	f.cloud(t, "mosaic", "mosaic-2")

	product := filepath.Join(f.products, "noise")
	var outcomes []struct{ State, Why string }
	until(t, 3*time.Minute, "the image is whole", func() bool {
		data, err := os.ReadFile(filepath.Join(product, "blocks.json"))
		return err == nil && json.Unmarshal(data, &outcomes) == nil && len(outcomes) == len(blocks) && strings.Count(string(data), `"state": "result"`) == len(blocks)
	})
	godal.RegisterAll()
	ds, err := godal.Open(filepath.Join(product, "slc.tif"))
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	got := make([]complex64, plan.Params.Lines*plan.Params.Samples)
	if err := ds.Read(0, 0, got, plan.Params.Samples, plan.Params.Lines); err != nil {
		t.Fatal(err)
	}
	for _, b := range plan.Blocks {
		want, err := plan.Focus(t.Context(), b, linesOf(plan, b, raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range want.Pix {
			if at := b.FirstRow*want.Cols + i; got[at] != v {
				t.Fatalf("block %d: row %d, column %d is %v, not %v", b.Index, at/want.Cols, at%want.Cols, got[at], v)
			}
		}
	}
	members := map[string]int{}
	offsets, err := k.Offsets(t.Context(), event.ResultsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		err := k.Scan(t.Context(), event.ResultsTopic, p, o.First, o.End, func(r kafka.Record) error {
			for _, h := range r.Headers {
				if h.Key == "canvas_worker" {
					members[string(h.Value)]++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(members) != 2 {
		t.Errorf("the blocks were not shared: %v", members)
	}
	t.Log(fmt.Sprint(len(blocks), " blocks: ", members))
}
