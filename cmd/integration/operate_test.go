package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// canvasCloud runs canvas-cloud to its end and reads its --json.
func canvasCloud(t *testing.T, config string, into any, args ...string) {
	t.Helper()
	code, out := run(t, "canvas-cloud", append([]string{"--config", config}, args...)...)
	if code != 0 {
		t.Fatalf("%v: %d\n%s", args, code, out)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func TestWhatOperatorsAskIsAnswered(t *testing.T) {
	t.Parallel()
	program(t, "canvas-cloud")
	broker, zookeeper := brokertest.StartOwnKafka(t), brokertest.StartZooKeeper(t, 1)
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "cloud.yaml"), "kafka: {brokers: [%s]}\nzookeeper: {servers: [%s]}\nstore: %q\nproducts: %q\nconsole: {data: %q}\nmqtt: {url: \"tcp://127.0.0.1:1\"}\n",
		strings.Join(broker.Brokers, ","), strings.Join(zookeeper.Servers, ","), "file://"+filepath.Join(dir, "objects"), filepath.Join(dir, "products"), filepath.Join(dir, "console"))
	k, err := kafka.Dial(kafka.Options{Brokers: broker.Brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.ProductsTopic, event.DLQTopic} {
		if err := k.EnsureTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.SetTopic(t.Context(), event.DLQTopic, deadletter.DefaultLimits().TopicConfig()); err != nil {
		t.Error(err)
	}
	item := event.Item{ID: ulid.Make(), Edge: "mast", Epoch: "e1", Seq: 1, Kind: event.Tile, Stream: "s", Subject: "s1/0_0", Time: time.Now(),
		Attrs: event.Attrs{Scene: "s1", Tile: "0_0", Want: "segment"}, Type: "image/tiff", Data: []byte("no TIFF"), SHA256: event.Sum([]byte("no TIFF"))}
	dead := kafka.RecordOf(item)
	dead.Topic = event.DLQTopic
	dead.Headers = append(dead.Headers, event.Header{Key: "__connect.errors.topic", Value: []byte(event.WorkTopic)},
		event.Header{Key: "__connect.errors.exception.message", Value: []byte("not a TIFF file")})
	product := fmt.Appendf(nil, `{"kind":"scene","name":"s1","edge":"mast","folder":"s1","complete":false,"missing":["0_0"],"lacking":1}`)
	made := event.Item{ID: ulid.Make(), Edge: "mast", Kind: event.Product, Stream: "s1", Subject: "s1", Time: time.Now(), Type: "application/json", Data: product, SHA256: event.Sum(product)}
	if err := k.Append(t.Context(), dead, kafka.RecordOf(item), kafka.RecordOf(made)); err != nil {
		t.Fatal(err)
	}

	var listing struct {
		DeadLetters []struct {
			ID, Topic, Reason, Subject string
			Replayed                   bool
		} `json:"letters"`
		Total int
	}
	canvasCloud(t, config, &listing, "dlq", "ls", "--json")
	if listing.Total != 1 || listing.DeadLetters[0].Reason != "not a TIFF file" || listing.DeadLetters[0].Subject != "s1/0_0" || listing.DeadLetters[0].Replayed {
		t.Fatalf("%+v", listing)
	}
	id := listing.DeadLetters[0].ID
	var deadLetter struct{ Value []byte }
	if canvasCloud(t, config, &deadLetter, "dlq", "show", "--json", id); string(deadLetter.Value) != "no TIFF" {
		t.Errorf("the value is %q", deadLetter.Value)
	}
	for _, want := range []string{"replayed", "already"} {
		var outcomes []struct{ State string }
		if canvasCloud(t, config, &outcomes, "dlq", "replay", "--json", id); len(outcomes) != 1 || outcomes[0].State != want {
			t.Errorf("replay: %+v, want %s", outcomes, want)
		}
	}
	if canvasCloud(t, config, &listing, "dlq", "ls", "--json"); !listing.DeadLetters[0].Replayed {
		t.Error("a letter that was put back is not shown so")
	}
	deadLettersAreDecided(t, config, k, item)
	edgesAreBlocked(t, config)
	var status struct {
		Dead int `json:"dead_letters"`
		Lag  []struct {
			Topic string
			Lag   int
			Age   float64 `json:"oldest_seconds"`
		}
	}
	canvasCloud(t, config, &status, "status", "--json")
	waiting := 0
	for _, l := range status.Lag {
		if l.Topic == event.WorkTopic {
			waiting += l.Lag
			if l.Lag > 0 && (l.Age <= 0 || l.Age > 600) {
				t.Errorf("the oldest of %d items waits for %g s", l.Lag, l.Age)
			}
		}
	}
	if status.Dead != 4 || waiting != 3 {
		t.Errorf("%d dead letters, %d items wait; want 4 and 3", status.Dead, waiting)
	}
	var scenes []struct {
		Name    string
		Missing []string
		Lacking int
	}
	if canvasCloud(t, config, &scenes, "scenes", "ls", "--json"); len(scenes) != 1 || scenes[0].Lacking != 1 || len(scenes[0].Missing) != 0 {
		t.Errorf("scenes: %+v", scenes)
	}
	if canvasCloud(t, config, &scenes, "scenes", "show", "--json", "s1"); len(scenes) != 1 || len(scenes[0].Missing) != 1 {
		t.Errorf("the scene: %+v", scenes)
	}
	for _, args := range [][]string{{"dlq", "ls"}, {"dlq", "show", id}, {"edges", "ls"}, {"scenes", "ls"}, {"scenes", "show", "s1"}, {"status"}} {
		if code, out := run(t, "canvas-cloud", append([]string{"--config", config}, args...)...); code != 0 || !strings.Contains(out, "mast") && !strings.Contains(out, "s1") && !strings.Contains(out, "dead letters") && !strings.Contains(out, "BLOCKED") {
			t.Errorf("%v: %d\n%s", args, code, out)
		}
	}

	modelsAreChanged(t, config)

	zookeeper.Kill(0)
	began := time.Now()
	code, out := run(t, "canvas-cloud", "--config", config, "status")
	if took := time.Since(began); code != 1 || !strings.Contains(out, "is ZooKeeper up?") || !strings.Contains(out, "dead letters") || took > 2*time.Minute {
		t.Errorf("without ZooKeeper, after %v: %d\n%s", took, code, out)
	}
}

// modelsAreChanged publishes a model twice and changes its plan; no worker is there to follow.
func modelsAreChanged(t *testing.T, config string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "coast")
	if err := os.MkdirAll(filepath.Join(folder, "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "model.yaml"), "task: segment\ninput: {bands: [green, red], size: [256, 256]}\noutput: {decoder: dense, labels: [water, land]}\n")
	for n, want := range []string{"2", "3"} {
		write(t, filepath.Join(folder, "1", "model.onnx"), "weights %d", n)
		var published struct{ Name, Version string }
		if canvasCloud(t, config, &published, "models", "publish", "--untried", "--json", folder); published.Name != "coast" || published.Version != want {
			t.Fatalf("published %+v, want version %s", published, want)
		}
	}
	type plan struct {
		Name     string
		Versions []string
		Desired  string
		Previous string
		Canary   *struct{ Version string }
		Changes  []struct{ What, Reason string }
	}
	var p plan
	if canvasCloud(t, config, &p, "models", "canary", "--version", "2", "--share", "0.2", "--json", "coast"); p.Canary == nil || p.Canary.Version != "2" {
		t.Errorf("canary: %+v", p)
	}
	p = plan{}
	if canvasCloud(t, config, &p, "models", "promote", "--json", "coast"); p.Desired != "2" || p.Canary != nil {
		t.Errorf("promote: %+v", p)
	}
	canvasCloud(t, config, &p, "models", "promote", "--version", "3", "--json", "coast")
	if canvasCloud(t, config, &p, "models", "rollback", "--reason", "odd masks", "--json", "coast"); p.Desired != "2" {
		t.Errorf("rollback: %+v", p)
	}
	var rows []plan
	if canvasCloud(t, config, &rows, "models", "ls", "--json"); len(rows) != 1 || len(rows[0].Versions) != 2 || rows[0].Changes[3].Reason != "odd masks" {
		t.Errorf("ls: %+v", rows)
	}
	if code, out := run(t, "canvas-cloud", "--config", config, "models", "ls"); code != 0 || !strings.Contains(out, "odd masks") {
		t.Errorf("ls: %d\n%s", code, out)
	}
	for _, wrong := range [][]string{{"models", "canary", "coast"}, {"models", "promote"}, {"models", "publish", folder + "x"}} {
		if code, out := run(t, "canvas-cloud", append([]string{"--config", config}, wrong...)...); code != 2 {
			t.Errorf("%v: %d\n%s", wrong, code, out)
		}
	}
	if code, out := run(t, "canvas-cloud", "--config", config, "models", "promote", "--version", "9", "coast"); code != 1 || !strings.Contains(out, "publish it first") {
		t.Errorf("a version that is not there: %d\n%s", code, out)
	}
}

// deadLettersAreDecided: what is discarded stays so, what came over MQTT goes back where it passes the
// bridge's checks, and two commands at once put nothing back twice.
func deadLettersAreDecided(t *testing.T, config string, k *kafka.Client, item event.Item) {
	t.Helper()
	reading := event.Item{ID: ulid.Make(), Edge: "mast", Epoch: "e1", Seq: 2, Kind: event.Tile, Priority: event.Normal, Stream: "s", Subject: "s1/0_1", Time: time.Now(),
		Attrs: event.Attrs{Scene: "s1", Tile: "0_1", Want: "segment"}, Type: "image/tiff", Data: []byte("x"), SHA256: event.Sum([]byte("x"))}
	payload, err := reading.MarshalMQTT()
	if err != nil {
		t.Fatal(err)
	}
	over := deadletter.Cause{Topic: event.Topic("mast", event.Normal, event.Tile), Offset: -1, Connector: "canvas-bridge", Reason: "Kafka refused it"}
	again := kafka.RecordOf(item)
	again.Topic = event.DLQTopic
	again.Headers = append(again.Headers, deadletter.Cause{Topic: event.WorkTopic, Reason: "no memory\x1b]0;PWN\x07 \u202e"}.Headers()...)
	for _, r := range []kafka.Record{{Topic: event.DLQTopic, Key: []byte("a"), Value: payload, Headers: over.Headers()}, {Topic: event.DLQTopic, Key: []byte("a"), Value: []byte("junk"), Headers: over.Headers()}, again} {
		if err := k.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	var listing struct {
		DeadLetters []struct {
			ID, Reason string
			Decision   *struct{ Action, By string }
		} `json:"letters"`
	}
	canvasCloud(t, config, &listing, "dlq", "ls", "--json")
	if len(listing.DeadLetters) != 4 {
		t.Fatalf("%+v", listing)
	}
	ids := map[string]string{}
	for _, l := range listing.DeadLetters {
		ids[l.Reason] += l.ID + " "
	}
	hostile := strings.TrimSpace(ids["no memory\x1b]0;PWN\x07 \u202e"])
	people := newPeople(t, config)
	people.sees("not a TIFF file", "replay") // by the command, before
	if code := people.decides(hostile, "discard"); code != http.StatusOK {
		t.Fatalf("discard: %d", code)
	}
	message := ""
	for _, id := range strings.Fields(ids["Kafka refused it"]) { // one of them is junk
		if people.decides(id, "replay") == http.StatusOK {
			message = id
		}
	}
	if code := people.decides(message, "replay"); code != http.StatusOK {
		t.Errorf("a second time: %d", code)
	}
	var outcomes []struct{ ID, State, Why string }
	if canvasCloud(t, config, &outcomes, "dlq", "replay", "--json", message); len(outcomes) != 1 || outcomes[0].State != "already" {
		t.Errorf("what the console put back: %+v", outcomes)
	}
	if code, out := run(t, "canvas-cloud", "--config", config, "dlq", "replay", hostile); code != 3 || !strings.Contains(out, "discarded by operator on this machine") {
		t.Errorf("what the console discarded: %d %s", code, out)
	}
	var all sync.WaitGroup
	for range 2 { // two people at once
		all.Go(func() {
			if code, out := run(t, "canvas-cloud", "--config", config, "dlq", "replay", "--all"); code != 3 || !strings.Contains(out, "not a readable envelope") {
				t.Errorf("replay --all: %d\n%s", code, out)
			}
		})
	}
	all.Wait()
	again.Topic = event.WorkTopic
	held := map[string]int{}
	ranges, err := k.Offsets(t.Context(), event.WorkTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := k.Scan(t.Context(), event.WorkTopic, p, r.First, r.End, func(r kafka.Record) error {
			held[deadletter.Header(r.Headers, "ce_id")]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if held[reading.ID.String()] != 1 || held[item.ID.String()] != 2 { // as it was at first, and put back once
		t.Errorf("canvas.work holds %v", held)
	}
	canvasCloud(t, config, &listing, "dlq", "ls", "--json")
	decided := map[string]int{}
	for _, l := range listing.DeadLetters {
		if l.Decision != nil {
			decided[l.Decision.Action]++
		}
	}
	if decided["replay"] != 2 || decided["discard"] != 1 {
		t.Errorf("decided: %v", decided)
	}
	if _, out := run(t, "canvas-cloud", "--config", config, "dlq", "ls"); strings.ContainsAny(out, "\x1b\x07\u202e") || !strings.Contains(out, `\x1b]0;PWN\x07`) {
		t.Errorf("what a terminal would do is printed: %q", out)
	}
}

// people look at the console.
type people struct {
	*testing.T
	url string
}

func newPeople(t *testing.T, config string) people {
	t.Helper()
	p := start(t, "canvas-cloud", "--config", config, "console", "--listen", "127.0.0.1:0")
	address := regexp.MustCompile(`url="?(http://[^\s"]+)/`)
	url := ""
	until(t, 2*time.Minute, "the console says where it is", func() bool {
		if m := address.FindStringSubmatch(p.log.String()); m != nil {
			url = m[1]
		}
		return url != ""
	})
	return people{t, url}
}

// sees waits until a letter of that reason is shown as decided so.
func (p people) sees(reason, action string) {
	p.Helper()
	until(p, 2*time.Minute, reason+" is shown as decided", func() bool {
		answer, err := http.Get(p.url + "/api/v1/letters")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var all struct {
			Items []struct {
				Reason  string
				Handled *struct{ Action, Who string }
			}
		}
		if json.NewDecoder(answer.Body).Decode(&all) != nil || len(all.Items) < 4 {
			return false
		}
		for _, l := range all.Items {
			if l.Reason == reason {
				return l.Handled != nil && l.Handled.Action == action && l.Handled.Who != ""
			}
		}
		return false
	})
}

func (p people) decides(id, action string) int {
	p.Helper()
	answer, err := http.Post(p.url+"/api/v1/letters/"+strings.Replace(id, "-", "/", 1), "application/json", strings.NewReader(`{"action":"`+action+`"}`))
	if err != nil {
		p.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func edgesAreBlocked(t *testing.T, config string) {
	t.Helper()
	for _, args := range [][]string{{"block", "--reason", "floods us", "mast-9"}, {"block", "mast-8"}, {"unblock", "mast-8"}} {
		if code, out := run(t, "canvas-cloud", append([]string{"--config", config, "edges"}, args...)...); code != 0 {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	if code, out := run(t, "canvas-cloud", "--config", config, "edges", "unblock", "nobody"); code != 2 || !strings.Contains(out, "not blocked") {
		t.Errorf("%d %s", code, out)
	}
	var blocked []struct{ Edge, By, Reason string }
	if canvasCloud(t, config, &blocked, "edges", "ls", "--json"); len(blocked) != 1 || blocked[0].Edge != "mast-9" || blocked[0].Reason != "floods us" || blocked[0].By == "" {
		t.Errorf("%+v", blocked)
	}
}
