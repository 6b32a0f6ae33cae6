package bridge_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// BenchmarkBridge measures mosquitto QoS 1 → bridge → Kafka acks=all, from the first publish until
// Kafka has the last record, and the same through the plain bridge of peer_test.go and, where
// $CANVAS_TELEGRAF names its program, through Telegraf, by turns in one run; publisher, brokers and bridge share the machine, each bridge is a process of its own with its
// defaults. ofPlain and ofTelegraf are ratios of the medians; MiB the most memory that a bridge had of its own
// (RssAnon), µs/msg the processor time that it took, which other processes hardly disturb. Run with
// -benchtime=1x.
func BenchmarkBridge(b *testing.B) {
	for _, load := range []struct{ size, messages int }{{1 << 10, 20000}, {100 << 10, 1500}} {
		b.Run(fmt.Sprintf("%dKiB", load.size>>10), func(b *testing.B) { benchmark(b, load.size, load.messages) })
	}
}

// turns of each bridge in one run.
const turns = 5

func benchmark(b *testing.B, size, messages int) {
	k := brokertest.StartKafka(b)
	m := brokertest.StartMosquitto(b, "max_inflight_messages 1000", "persistence false", "set_tcp_nodelay true")
	at := site{mqtt: m.URL, kafka: strings.Join(k.Brokers, ","), store: b.TempDir()}
	client, err := bridge.DialKafka(kafka.Options{Brokers: k.Brokers})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	topics := append(bridge.Topics(4, 1), kafka.Topic{Name: plainTopic, Partitions: 4, Replicas: 1}, kafka.Topic{Name: telegrafTopic, Partitions: 4, Replicas: 1})
	if err := client.EnsureTopics(b.Context(), topics...); err != nil {
		b.Fatal(err)
	}
	rates, times, memory := map[string][]float64{}, map[string][]float64{}, map[string]float64{}
	kinds := []string{childBridge, childPlain}
	if os.Getenv(telegrafVariable) != "" {
		kinds = append(kinds, childTelegraf)
	}
	for b.Loop() {
		for turn := range turns {
			for _, kind := range kinds {
				load := newLoad(b, fmt.Sprintf("%s-%d-%d", kind, size, turn), size, messages)
				topic := map[string]string{childBridge: event.EventsTopic, childPlain: plainTopic, childTelegraf: telegrafTopic}[kind]
				r := run(b, client, at, kind, topic, load)
				rates[kind] = append(rates[kind], r.rate)
				times[kind] = append(times[kind], r.micros)
				memory[kind] = max(memory[kind], r.mib)
			}
		}
	}
	ours, plain := median(rates[childBridge]), median(rates[childPlain])
	b.ReportMetric(ours, "msg/s")
	b.ReportMetric(ours*float64(size)/1e6, "MB/s")
	b.ReportMetric(memory[childBridge], "MiB")
	b.ReportMetric(median(times[childBridge]), "µs/msg")
	b.ReportMetric(plain, "plain-msg/s")
	b.ReportMetric(median(times[childPlain]), "plain-µs/msg")
	b.ReportMetric(memory[childPlain], "plain-MiB")
	b.ReportMetric(ours/plain, "ofPlain")
	if times := times[childTelegraf]; len(times) > 0 {
		telegraf := median(rates[childTelegraf])
		b.ReportMetric(telegraf, "telegraf-msg/s")
		b.ReportMetric(median(times), "telegraf-µs/msg")
		b.ReportMetric(memory[childTelegraf], "telegraf-MiB")
		b.ReportMetric(ours/telegraf, "ofTelegraf")
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// cost is what a load took: records a second, processor time of the bridge a message, memory.
type cost struct{ rate, micros, mib float64 }

// run sends a load through a bridge.
func run(b *testing.B, k *kafka.Client, at site, kind, topic string, load []packets.ControlPacket) cost {
	process, stop := startChild(b, at, kind)
	defer stop()
	e := newEdge(b, at, fmt.Sprintf("greeter-%s-%d", kind, time.Now().UnixNano()))
	first := recordsOf(b, k, topic)
	eventually(b, "the bridge carries", func() bool {
		e.publish(b, reading(e.name, 1))
		return recordsOf(b, k, topic) > first
	})
	before := recordsOf(b, k, topic)
	for settled := before; ; before, settled = settled, recordsOf(b, k, topic) { // the plain bridge writes every greeting
		time.Sleep(50 * time.Millisecond)
		if before == settled && recordsOf(b, k, topic) == settled {
			break
		}
	}
	done := make(chan struct{})
	defer close(done)
	peak := watchMemory(process.Process.Pid, done)
	spent, began := processorTime(b, process.Process.Pid), time.Now()
	sendAll(b, at.mqtt, load)
	for deadline := time.Now().Add(2 * time.Minute); recordsOf(b, k, topic) < before+int64(len(load)); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("the %s bridge has written %d of %d", kind, recordsOf(b, k, topic)-before, len(load))
		}
	}
	took := time.Since(began)
	spent = processorTime(b, process.Process.Pid) - spent
	n := float64(len(load))
	return cost{n / took.Seconds(), float64(spent.Microseconds()) / n, peak()}
}

// processorTime is what a process has used so far, user and system.
func processorTime(b *testing.B, pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	const user, system, tick = 11, 12, 10 * time.Millisecond // proc(5), behind the name; USER_HZ is 100
	var ticks [2]int64
	for n, field := range []int{user, system} {
		if ticks[n], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	return time.Duration(ticks[0]+ticks[1]) * tick
}

func recordsOf(b *testing.B, k *kafka.Client, topic string) (n int64) {
	ranges, err := k.Offsets(b.Context(), topic)
	for ; err != nil && b.Context().Err() == nil; ranges, err = k.Offsets(b.Context(), topic) {
		time.Sleep(50 * time.Millisecond) // its leader is new
	}
	for _, r := range ranges {
		n += r.End
	}
	return n
}

// edgesOfLoad is enough for them to fall evenly into partitions, whatever their names.
const edgesOfLoad = 64

// newLoad is the messages of some edges, ready to be written.
func newLoad(b *testing.B, name string, size, messages int) []packets.ControlPacket {
	load := make([]packets.ControlPacket, messages)
	data := bytes.Repeat([]byte("a pixel is worth a byte "), size/24+1)[:size] // no zeros: Telegraf cuts them off
	for n := range load {
		i := item(fmt.Sprintf("%s-%d-%d", name, time.Now().Unix(), n%edgesOfLoad), uint64(n/edgesOfLoad+1), event.Reading, data)
		payload, err := i.MarshalMQTT()
		if err != nil {
			b.Fatal(err)
		}
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.Qos, p.TopicName, p.Payload, p.MessageID = 1, event.Topic(i.Edge, i.Priority, i.Kind), payload, uint16(n%60000+1)
		load[n] = p
	}
	return load
}

// sendAll publishes with up to a hundred messages in flight, at the least cost.
func sendAll(b *testing.B, url string, load []packets.ControlPacket) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "mqtt://"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	out, in := bufio.NewWriterSize(conn, 64<<10), bufio.NewReader(conn)
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier = "MQTT", 4, true, "load"
	if hello.Write(out) != nil || out.Flush() != nil {
		b.Fatal("mosquitto takes no connection")
	}
	if _, err := packets.ReadPacket(in); err != nil {
		b.Fatal(err)
	}
	const inFlight = 100
	for sent, acked := 0, 0; acked < len(load); {
		for ; sent < len(load) && sent-acked < inFlight; sent++ {
			if err := load[sent].Write(out); err != nil {
				b.Fatal(err)
			}
		}
		if err := out.Flush(); err != nil {
			b.Fatal(err)
		}
		for more := true; more; more = in.Buffered() >= 4 { // a PUBACK
			if _, err := packets.ReadPacket(in); err != nil {
				b.Fatal(err)
			}
			acked++
		}
	}
}

// watchMemory follows what a process has of its own until done; the result says the most.
func watchMemory(pid int, done <-chan struct{}) func() float64 {
	most := make(chan float64, 1)
	most <- 0
	look := func() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			var kib float64
			if n, _ := fmt.Sscanf(line, "RssAnon: %f kB", &kib); n == 1 {
				most <- max(<-most, kib/1024)
			}
		}
	}
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				look()
			}
		}
	}()
	return func() float64 {
		m := <-most
		most <- m
		return m
	}
}

// startChild starts a bridge in a process of its own.
func startChild(t testing.TB, at site, kind string) (c *exec.Cmd, kill func()) {
	t.Helper()
	if c = exec.Command(os.Args[0]); kind == childTelegraf {
		c = exec.Command(os.Getenv(telegrafVariable), telegrafConfig(t, at))
	}
	c.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{kind, at.mqtt, at.kafka, at.store, at.zookeeper, at.id}, " "))
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, func() {
		c.Process.Kill()
		c.Wait()
	}
}
