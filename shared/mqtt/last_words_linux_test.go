package mqtt

import (
	"fmt"
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"golang.org/x/sys/unix"
)

// takes lets one client in and gives its connection, once its subscription stands.
func takes(t *testing.T) (url string, subscribed <-chan *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	found := make(chan *net.TCPConn, 1)
	go func() {
		conn, err := listener.Accept()
		for err == nil {
			var packet packets.ControlPacket
			if packet, err = packets.ReadPacket(conn); err != nil {
				break
			}
			switch p := packet.(type) {
			case *packets.ConnectPacket:
				packets.NewControlPacket(packets.Connack).Write(conn)
			case *packets.SubscribePacket:
				answer := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
				answer.MessageID, answer.ReturnCodes = p.MessageID, []byte{1}
				answer.Write(conn)
				listener.Close() // it does not come back
				found <- conn.(*net.TCPConn)
				return
			}
		}
	}()
	return "mqtt://" + listener.Addr().String(), found
}

// send writes so many messages, numbered from packet on, and waits until they are all with the other side's kernel.
func send(t *testing.T, conn *net.TCPConn, packet, n int) {
	t.Helper()
	for i := range n {
		m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		m.TopicName, m.Qos, m.MessageID, m.Payload = "a", 1, uint16(packet+i), fmt.Append(nil, packet+i)
		if err := m.Write(conn); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for unsent := 1; unsent > 0; {
		raw.Control(func(fd uintptr) { unsent, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatABrokerHandedOverBeforeItDiedIsTaken: what rests in the connection is perhaps nowhere else any
// more. The broker is killed with acknowledgements unread, which resets the connection, and the client
// notices it by an acknowledgement that can't be written.
func TestWhatABrokerHandedOverBeforeItDiedIsTaken(t *testing.T) {
	url, subscribed := takes(t)
	const first, all = 20, 220
	began, goOn, got := make(chan struct{}), make(chan struct{}), make(chan Message, all)
	m, err := Dial(t.Context(), Options{URL: url, ClientID: "taker", Persistent: true, ManualAck: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Subscribe("a", 1, func(m Message) {
		if m.Packet == 1 {
			close(began)
			<-goOn
		}
		m.Ack()
		got <- m
	})
	broker := await(t, subscribed, "the subscription")
	send(t, broker, 1, first)
	await(t, began, "the first message")
	send(t, broker, 1+first, all-first)
	broker.SetLinger(0)
	broker.Close()
	close(goOn)
	for n := range all {
		if m := await(t, got, "what the broker had sent"); string(m.Payload) != fmt.Sprint(n+1) {
			t.Fatalf("%q came after %d messages", m.Payload, n)
		}
	}
}
