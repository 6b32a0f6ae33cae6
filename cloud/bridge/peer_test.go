package bridge_test

import (
	"context"
	"strings"
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
