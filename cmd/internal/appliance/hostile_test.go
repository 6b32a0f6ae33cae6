package appliance

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/edge"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
)

// bomb is a manifest whose tiles are 10^15 pixels wide: 360 bytes that stopped the appliance for ever.
const bomb = `{"id":"bomb2","width":1000000,"height":1000000,"bands":["blue"],"data_type":"Byte","georef":{"wkt":"","epsg":0,"transform":[0,0,0,0,0,0]},` +
	`"grid":{"size":1000000000000000,"overlap":0,"margin":0,"cols":1,"rows":1},"file_bytes":1,"screening":"x",` +
	`"tiles":[{"tile":"0_0","decision":"dropped","reason":"nodata","cloud":0,"nodata":1,"value":0,"bytes":0}],"model":""}`

// hostile are items that nobody may fall over.
func hostile(edge string) (items []event.Item) {
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	add := func(kind event.Kind, priority event.Priority, subject, data string, a event.Attrs) {
		items = append(items, event.Item{ID: event.NewID(at), Edge: edge, Epoch: "e1", Seq: uint64(len(items) + 1), Kind: kind, Stream: subject, Subject: subject,
			Time: at, Priority: priority, Attrs: a, Type: "application/json", SHA256: event.Sum([]byte(data)), Data: []byte(data)})
	}
	add(event.Scene, event.High, "bomb2", bomb, event.Attrs{Scene: "bomb2"})
	add(event.Alert, event.Urgent, "deep", `{"a":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`, event.Attrs{})
	add(event.Result, event.Normal, "gate", `{"camera":"gate","width":9,"height":9,"first":0,"last":9223372036854775807,"frames":[]}`, event.Attrs{})
	add(event.Tile, event.Normal, "s/x", "II*", event.Attrs{Scene: "s", Tile: "-1_99999999999999999999", Want: "segment"})
	return items
}

// TestHostileItemsAreDeadLettersAndAllElseFlows sends them from a device, and puts them where an earlier
// program, which let them in, has left them.
func TestHostileItemsAreDeadLettersAndAllElseFlows(t *testing.T) {
	models, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Edge: edge.DefaultConfig(), Cloud: cloud.DefaultConfig(), Work: t.TempDir(), Models: models, Log: slog.New(slog.DiscardHandler)}
	o.Edge.Edge = "mast-7"
	scene := edge.SceneSource{Name: "coast", Path: sample(t, "sentinel2.tif")}
	scene.SetDefaults()
	o.Edge.Scenes = []edge.SceneSource{scene}
	o.Cloud.Products = t.TempDir()
	o.Cloud.Worker.Models = []worker.Choice{{Want: "segment", Model: worker.SpectralRGB}}
	o.Cloud.Mosaic.Settle = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	a, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	client, err := mqtt.Dial(ctx, mqtt.Options{URL: a.mqtt.URL(), ClientID: "hostile"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for !client.Connected() && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	count := func(topic, header, value string) (n int) {
		partitions, err := a.Kafka.Partitions(ctx, topic)
		for p := 0; err == nil && p < partitions; p++ {
			err = a.Kafka.Scan(ctx, topic, p, 0, math.MaxInt64, func(r kafka.Record) error {
				for _, h := range r.Headers {
					if h.Key == header && string(h.Value) == value {
						n++
					}
				}
				return nil
			})
		}
		if err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
		return n
	}
	for count(event.WorkTopic, "ce_edge", "mast-7") == 0 { // before the bridge hears, a message is given to nobody
		time.Sleep(50 * time.Millisecond)
	}
	for _, i := range hostile("mast-8") {
		payload, err := i.MarshalMQTT()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Publish(ctx, event.Topic(i.Edge, i.Priority, i.Kind), 1, false, payload); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range hostile("mast-9") {
		if err := a.Kafka.Append(ctx, kafka.RecordOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		refused := count(event.DLQTopic, "__connect.errors.connector.name", "canvas-bridge")
		dead := count(event.DLQTopic, "__connect.errors.connector.name", "canvas-worker") // the tile that rested in Kafka
		made := count(event.ProductsTopic, "ce_subject", "coast")
		if refused == len(hostile("")) && dead == 1 && made > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d refused, %d dead letters of the worker, %d products", refused, dead, made)
		}
	}
	select {
	case <-a.Failed():
		t.Fatal(a.Stop())
	default:
	}
}
