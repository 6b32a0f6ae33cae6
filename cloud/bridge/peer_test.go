package bridge_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/segmentio/kafka-go"

	"cloudcanvas/shared/event"
)

const plainTopic = "canvas.plain"

// runPlain is the bridge that one would write in an afternoon, the peer of the benchmarks: paho into
// kafka-go, PUBACK after Kafka's acknowledgement, set up as both libraries advise. It does not look
// into messages, knows no duplicates, bounds its intake in messages only and gives no receipts.
func runPlain(ctx context.Context, at site) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(strings.Split(at.kafka, ",")...), Topic: plainTopic, Balancer: &kafka.Hash{},
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, BatchBytes: 1_000_000,
	}
	defer w.Close()
	queue := make(chan paho.Message, 1000)
	o := paho.NewClientOptions().AddBroker(at.mqtt).SetClientID("plain-bridge").SetCleanSession(false).SetAutoAckDisabled(true).SetOrderMatters(true)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { queue <- m })
	o.SetOnConnectHandler(func(c paho.Client) { go c.Subscribe(event.UpFilter, 1, nil) })
	c := paho.NewClient(o)
	if t := c.Connect(); t.Wait() && t.Error() != nil {
		return t.Error()
	}
	defer c.Disconnect(100)
	for {
		var batch []paho.Message
		select {
		case m := <-queue:
			batch = append(batch, m)
		case <-ctx.Done():
			return nil
		}
		for len(batch) < 1000 && len(queue) > 0 {
			batch = append(batch, <-queue)
		}
		records := make([]kafka.Message, len(batch))
		for n, m := range batch {
			records[n] = kafka.Message{Key: []byte(m.Topic()), Value: m.Payload()}
		}
		if err := w.WriteMessages(ctx, records...); err != nil {
			return err
		}
		for _, m := range batch {
			m.Ack()
		}
	}
}

const (
	telegrafTopic    = "canvas.telegraf"
	telegrafVariable = "CANVAS_TELEGRAF" // the program that deps/peers/telegraf builds
)

// telegrafConfig writes a configuration for Telegraf as carrying much in order takes: a persistent
// session, small batches that go at once, and no more undelivered than the broker gives at a time.
func telegrafConfig(t testing.TB, at site) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "telegraf.conf")
	text := fmt.Sprintf(`
[agent]
  interval = "1s"
  flush_interval = "100ms"
  metric_batch_size = 250
  metric_buffer_limit = 100000
  omit_hostname = true
  quiet = true
[[inputs.mqtt_consumer]]
  servers = [%q]
  topics = [%q]
  qos = 1
  persistent_session = true
  client_id = "telegraf"
  max_undelivered_messages = 1000
  data_format = "value"
  data_type = "string"
[[outputs.kafka]]
  brokers = [%q]
  topic = %q
  required_acks = -1
  max_message_bytes = 1000000
  data_format = "influx"
  influx_max_line_bytes = 4000000
`, strings.Replace(at.mqtt, "mqtt://", "tcp://", 1), event.UpFilter, strings.ReplaceAll(at.kafka, ",", `", "`), telegrafTopic)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
