package mqtt

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// refusing is a broker that lets everybody in and refuses every subscription; with curt it ends each
// connection at the first publish, as mosquitto does with one that its access list denies.
func refusing(t *testing.T, curt bool) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { listener.Close() })
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				for {
					packet, err := packets.ReadPacket(conn)
					if err != nil {
						return
					}
					switch p := packet.(type) {
					case *packets.ConnectPacket:
						packets.NewControlPacket(packets.Connack).Write(conn)
					case *packets.SubscribePacket:
						answer := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
						answer.MessageID, answer.ReturnCodes = p.MessageID, []byte{0x80}
						answer.Write(conn)
					case *packets.PublishPacket:
						answer := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
						answer.MessageID = p.MessageID
						answer.Write(conn)
						if curt {
							return
						}
					case *packets.DisconnectPacket:
						return
					}
				}
			})
		}
	})
	return "mqtt://" + listener.Addr().String()
}

func TestARefusedSubscriptionIsReportedAndTheConnectionStays(t *testing.T) {
	log, said := captured()
	refused := make(chan string, 4)
	m, err := Dial(t.Context(), Options{URL: refusing(t, false), Log: log, OnRefused: func(filter string) { refused <- filter }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.SubscribeThen("a/#", 1, func(Message) {}, func() { t.Error("a refused subscription stands") })
	if filter := await(t, refused, "word of the refusal"); filter != "a/#" {
		t.Errorf("%q is refused", filter)
	}
	for !strings.Contains(await(t, said, "a line of the log"), "refuses the subscription") {
	}
	if err := m.Publish(t.Context(), "b", 1, false, nil); err != nil {
		t.Error(err)
	}
}

func TestABrokerThatEndsEachConnectionIsLoggedOnce(t *testing.T) {
	log, said := captured()
	m, err := Dial(t.Context(), Options{URL: refusing(t, true), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for {
		m.Publish(t.Context(), "a", 1, false, nil)
		select {
		case line := <-said:
			if strings.Contains(line, "soon after it was made") {
				return
			}
		case <-t.Context().Done():
			t.Fatal("nothing is said")
		default:
		}
	}
}
