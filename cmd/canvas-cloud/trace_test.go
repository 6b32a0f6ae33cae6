package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/lineage"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// trace runs the command against a Kafka, without a ZooKeeper, and gives what it printed and its exit code.
func trace(t *testing.T, brokers []string, args ...string) (string, int, error) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "cloud.yaml")
	text := fmt.Sprintf("kafka: {brokers: [%s]}\nzookeeper: {servers: ['127.0.0.1:1']}\nstore: 'file://%s/none'\n", brokers[0], t.TempDir())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	app := cli.App("canvas-cloud", "", "test", traceCommand())
	app.Writer, app.ErrWriter = &out, &out
	err := app.RunContext(t.Context(), append([]string{"canvas-cloud", "--config", config, "trace"}, args...))
	return out.String(), cli.Code(err), err
}

func TestTraceTellsAnItemsHistoryAndSaysWhatItCannotKnow(t *testing.T) {
	e, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	k, err := kafka.Dial(kafka.Options{Brokers: e.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.DLQTopic, event.ProductsTopic} {
		if err := k.EnsureTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 2}); err != nil {
			t.Fatal(err)
		}
	}
	data := []byte("pixels")
	in := event.Item{ID: event.NewID(time.Now()), Edge: "mast-7", Epoch: "e1", Seq: 4, Kind: event.Tile, Stream: "coast", Subject: "coast/3_4", Time: time.Now(), Priority: event.Normal,
		Attrs: event.Attrs{Scene: "coast", Tile: "3_4", Want: "segment"}, Type: "image/tiff", Data: data, SHA256: event.Sum(data)}
	found := in
	found.ID, found.Epoch, found.Seq, found.Kind = event.ResultID(in.ID, "ukis", "3"), "", 0, event.Result
	found.Attrs.Model, found.Attrs.ModelVersion = "ukis", "3"
	result := kafka.RecordOf(found)
	result.Headers = append(result.Headers, event.Header{Key: "canvas_worker", Value: []byte("gpu-2")}, event.Header{Key: "canvas_lease", Value: []byte("41")})
	if err := k.Append(t.Context(), kafka.RecordOf(in)); err != nil {
		t.Fatal(err)
	}
	if err := k.Append(t.Context(), result); err != nil {
		t.Fatal(err)
	}

	out, code, err := trace(t, e.Brokers(), in.ID.String())
	if err != nil || code != cli.Done || !strings.Contains(out, "gpu-2 epoch 41 with ukis version 3") || !strings.Contains(out, "canvas.work[") || !strings.Contains(out, "mast-7/e1/4") {
		t.Errorf("%d %v\n%s", code, err, out)
	}
	out, _, err = trace(t, e.Brokers(), "--json", "mast-7/e1/4")
	var histories []lineage.History
	if err != nil || json.Unmarshal([]byte(out), &histories) != nil || len(histories) != 1 || histories[0].ID != in.ID.String() || histories[0].State != lineage.HasResult {
		t.Errorf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{event.NewID(time.Now()).String()}, cli.Failed, "nothing is known of it"},
		{[]string{"coast/9_9"}, cli.Failed, "--since"},
		{[]string{}, cli.WrongUsage, "one item"},
		{[]string{"a", "b"}, cli.WrongUsage, "one item"},
		{[]string{" "}, cli.WrongUsage, "EDGE/EPOCH/SEQ"},
		{[]string{"--since", "-1h", "coast/9_9"}, cli.WrongUsage, "--since"},
	} {
		if _, code, err := trace(t, e.Brokers(), c.args...); code != c.code || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %d %v", c.args, code, err)
		}
	}
}
